package locale

import (
	"maps"
	"unicode/utf8"
)

// entries are all translations, by the English that the source has.
func entries() map[string]string {
	all := kindWords()
	for _, list := range append(told(), said()...) {
		maps.Copy(all, list)
	}
	return all
}

// kindWords are kinds by each of the forms that they stand in.
func kindWords() map[string]string {
	all := map[string]string{}
	for _, k := range kinds() {
		one, many, zh := k[0], k[1], k[2]
		all[one] = zh
		if many == "" {
			all[one+" (%d)"] = zh + "（%d）"
			continue
		}
		all[many] = zh
		all["%d "+one], all["%d "+many] = counted(zh), counted(zh)
	}
	return all
}

// said are the translations of what is looked up as the source has it, told those of words that come finished. No key stands in
// two of them.
func said() []map[string]string { return []map[string]string{views(), watching(), misuses(), help()} }

func told() []map[string]string {
	return []map[string]string{labels(), makers(), steps(), hints(), evidence(), failures()}
}

// counted is the format of so many of what is called so. Chinese and Latin letters stand apart.
func counted(zh string) string {
	if zh[0] < utf8.RuneSelf {
		return "%d 个 " + zh
	}
	return "%d 个" + zh
}
