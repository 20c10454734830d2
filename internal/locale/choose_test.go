package locale

import "testing"

// TestAsked: the language is chosen as gettext chooses it.
func TestAsked(t *testing.T) {
	for _, c := range []struct {
		all, messages, lang, language string
		chinese                       bool
	}{
		{"", "", "", "", false},
		{"", "", "zh_CN.UTF-8", "", true},
		{"", "", "zh_CN", "", true},
		{"", "", "zh_CN.utf8", "", true},
		{"", "", "zh_CN.UTF-8@pinyin", "", true},
		{"", "", "zh_SG.UTF-8", "", true},
		{"", "", "zh", "", true},
		{"", "", "zh_CN.GB18030", "", false},
		{"", "", "zh_TW.UTF-8", "", false},
		{"", "", "en_US.UTF-8", "", false},
		{"", "", "de_DE.UTF-8", "", false},
		{"", "", "de_DE.UTF-8", "de:zh_CN:en", true},
		{"", "", "en_US.UTF-8", "zh_CN:en_US", true},
		{"", "", "zh_CN.UTF-8", "en_US:zh_CN", false},
		{"", "", "zh_CN.UTF-8", "fr", false},
		{"", "", "C", "zh_CN", false},
		{"", "", "POSIX", "zh_CN", false},
		{"", "", "", "zh_CN", false},
		{"C", "zh_CN.UTF-8", "zh_CN.UTF-8", "zh_CN", false},
		{"zh_CN.UTF-8", "en_US.UTF-8", "en_US.UTF-8", "", true},
		{"", "zh_CN.UTF-8", "en_US.UTF-8", "", true},
		{"", "en_US.UTF-8", "zh_CN.UTF-8", "", false},
		{"", "", "nonsense/../x", "", false},
	} {
		env := map[string]string{"LC_ALL": c.all, "LC_MESSAGES": c.messages, "LANG": c.lang, "LANGUAGE": c.language}
		if got := Asked(func(name string) string { return env[name] }) != nil; got != c.chinese {
			t.Errorf("%+v: Chinese is %v", c, got)
		}
	}
}

// TestNamed: a language by its name, and an error that says which there are.
func TestNamed(t *testing.T) {
	for name, chinese := range map[string]bool{"zh": true, "zh_CN": true, "zh-Hans": true, "en": false, "en_GB.UTF-8": false, "C": false} {
		w, err := Named(name)
		if err != nil || (w != nil) != chinese {
			t.Errorf("%s: %v, %v", name, w != nil, err)
		}
	}
	for _, name := range []string{"", "klingon", "fr", "zh_TW"} {
		if _, err := Named(name); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
}
