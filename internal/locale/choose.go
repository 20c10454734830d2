package locale

import (
	"fmt"
	"strings"

	"golang.org/x/text/language"

	"github.com/vmblame/vmblame/internal/text"
)

// Named returns the language of that name: "en", "zh", "zh_CN.UTF-8". English is nil. An error means that there is no
// translation into the language.
func Named(name string) (text.Words, error) {
	switch known(name) {
	case english:
		return nil, nil
	case chinese:
		return theChinese(), nil
	}
	return nil, fmt.Errorf("%s: unknown: en or zh", name)
}

// Asked is the language that the environment asks for, in the manner of gettext(3) and setlocale(3): LC_ALL, LC_MESSAGES or
// LANG is the locale, the first of them that is set and not empty; unless that is C or POSIX, LANGUAGE is a list of languages
// that are preferred to it, separated by colons. What there is no translation into is English, and so is Chinese on a terminal
// that does not show UTF-8. getenv is os.Getenv.
func Asked(getenv func(string) string) text.Words {
	name := ""
	for _, variable := range [...]string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if name = getenv(variable); name != "" {
			break
		}
	}
	if name == "" || name == "C" || name == "POSIX" || !showsUTF8(name) {
		return nil
	}
	list := []string{name}
	if preferred := getenv("LANGUAGE"); preferred != "" {
		list = strings.Split(preferred, ":")
	}
	for _, name := range list {
		switch known(name) {
		case english:
			return nil
		case chinese:
			return theChinese()
		}
	}
	return nil
}

// The languages that people can read.
const (
	unknown = iota
	english
	chinese
)

// known returns the language that a locale's name asks for, such as "zh_CN.UTF-8@pinyin". Locales of Taiwan and Hong
// Kong, which use traditional characters, do not get the simplified ones.
func known(name string) int {
	name, _, _ = strings.Cut(name, ".")
	name, _, _ = strings.Cut(name, "@")
	if name == "C" || name == "POSIX" {
		return english
	}
	tag, err := language.Parse(name)
	if err != nil {
		return unknown
	}
	simplified, _ := language.SimplifiedChinese.Script()
	switch base, _ := tag.Base(); base.String() {
	case "en":
		return english
	case "zh":
		if script, _ := tag.Script(); script == simplified {
			return chinese
		}
	}
	return unknown
}

// showsUTF8 reports whether a locale's name has no encoding, or this one.
func showsUTF8(name string) bool {
	_, encoding, has := strings.Cut(name, ".")
	encoding, _, _ = strings.Cut(encoding, "@")
	return !has || strings.ReplaceAll(strings.ToLower(encoding), "-", "") == "utf8"
}
