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

// kindWords translates the words of kinds, in each form in which they occur.
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

// said are the translations of literals in the source; told are those of texts that are looked up when they are
// complete. A key is in only one of the two.
func said() []map[string]string { return []map[string]string{views(), watching(), misuses(), help()} }

func told() []map[string]string {
	return []map[string]string{labels(), makers(), steps(), hints(), evidence(), failures()}
}

// counted returns the format for a number of such things. A space separates Chinese from Latin letters.
func counted(zh string) string {
	if zh[0] < utf8.RuneSelf {
		return "%d 个 " + zh
	}
	return "%d 个" + zh
}
