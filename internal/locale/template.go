package locale

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A template recognises text that was made with a format, and translates it.
type template struct {
	literals []string // before, between and behind the verbs: one more than those
	verbs    []verb
	// The translation, with %s for every verb.
	translation string
	label       bool // the words in it are those of a kind or of a maker, with nothing filled in
	failure     bool // it says what happened: the words in it may be any
}

// A verb is a verb of a format, such as %s.
type verb struct {
	letter byte // of the English: d and x stand for digits, q for what is quoted
	words  bool // it stands for words that are known themselves
}

// nextVerb finds the first verb of a format of package fmt: where it begins and ends, its explicit argument index, 0 if
// it has none, and its letter. begin is negative if there is no verb.
func nextVerb(format string) (begin, end, argument int, letter byte) {
	for begin = range len(format) {
		if format[begin] != '%' {
			continue
		}
		end, argument = begin+1, 0
		if n := strings.IndexByte(format[end:], ']'); n > 0 && format[end] == '[' {
			argument, _ = strconv.Atoi(format[end+1 : end+n])
			end += n + 1
		}
		for end < len(format) && strings.IndexByte("-+# 0123456789.", format[end]) >= 0 {
			end++
		}
		if end < len(format) {
			if letter = format[end]; letter == '%' || 'a' <= letter|0x20 && letter|0x20 <= 'z' {
				return begin, end + 1, argument, letter
			}
		}
	}
	return -1, 0, 0, 0
}

// parseTemplate makes a template of a format and its translation; ok is false if the format has no verbs.
func parseTemplate(format, translation string) (t template, ok bool) {
	literal := ""
	for {
		begin, end, _, letter := nextVerb(format)
		if begin < 0 {
			break
		}
		literal += format[:begin]
		format = format[end:]
		if letter == '%' {
			literal += "%"
			continue
		}
		t.literals, literal = append(t.literals, literal), ""
		t.verbs = append(t.verbs, verb{letter: letter})
	}
	if len(t.verbs) == 0 {
		return t, false
	}
	t.literals = append(t.literals, literal+format)
	for next := 1; ; next++ {
		begin, end, argument, letter := nextVerb(translation)
		if begin < 0 {
			break
		}
		t.translation += translation[:begin]
		translation = translation[end:]
		if letter == '%' {
			t.translation += "%%"
			next--
			continue
		}
		if argument > 0 {
			next = argument
		}
		if next <= len(t.verbs) && letter == 'v' {
			t.verbs[next-1].words = true
		}
		t.translation += "%[" + strconv.Itoa(next) + "]s"
	}
	t.translation += translation
	return t, true
}

// sortTemplates puts the most specific templates first: those with the most literal text.
func sortTemplates(list []template) {
	own := func(t *template) (n int) {
		for _, l := range t.literals {
			n += len(l)
		}
		return n
	}
	slices.SortFunc(list, func(a, b template) int {
		return cmp.Or(cmp.Compare(own(&b), own(&a)), cmp.Compare(len(a.verbs), len(b.verbs)), strings.Compare(a.translation, b.translation))
	})
}

// match reports whether words were made with the format, and returns the text in place of each verb. tell translates
// what is itself known text.
func (t *template) match(words string, tell func(string) (string, bool)) (args []string, ok bool) {
	rest, ok := strings.CutPrefix(words, t.literals[0])
	if !ok || !strings.HasSuffix(rest, t.literals[len(t.literals)-1]) {
		return nil, false
	}
	args = make([]string, 0, len(t.verbs))
	return t.from(args, rest, tell)
}

// from matches rest, which follows a literal, with the remaining verbs.
func (t *template) from(args []string, rest string, tell func(string) (string, bool)) ([]string, bool) {
	n := len(args)
	if n == len(t.verbs) {
		return args, rest == ""
	}
	literal, last := t.literals[n+1], n+1 == len(t.verbs)
	for at := 0; at <= len(rest); at++ {
		if last {
			at = len(rest) - len(literal)
		} else if i := strings.Index(rest[at:], literal); i >= 0 {
			at += i
		} else {
			return nil, false
		}
		if at < 0 || !strings.HasSuffix(rest[:at+len(literal)], literal) {
			return nil, false
		}
		arg := rest[:at]
		if t.verbs[n].may(arg) {
			known := true
			if t.verbs[n].words {
				arg, known = tell(arg)
			}
			if known {
				if all, ok := t.from(append(args, arg), rest[at+len(literal):], tell); ok {
					return all, true
				}
			}
		}
		if last {
			break
		}
	}
	return nil, false
}

// may reports whether a verb could have written this.
func (v verb) may(arg string) bool {
	switch v.letter {
	case 'd':
		return strings.Trim(arg, "-0123456789") == "" && arg != ""
	case 'x':
		return strings.Trim(arg, "0123456789abcdef") == "" && arg != ""
	case 'q':
		_, err := strconv.Unquote(arg)
		return err == nil
	}
	return arg != ""
}

// fill returns the translation with args in place of its verbs.
func (t *template) fill(args []string) string {
	list := make([]any, len(args))
	for i, a := range args {
		list[i] = a
	}
	return fmt.Sprintf(t.translation, list...)
}
