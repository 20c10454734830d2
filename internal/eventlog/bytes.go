package eventlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Names of files, threads and functions are bytes; a JSON string is Unicode. A byte that is not part of UTF-8 is
// written as the escape of a lone low surrogate, \udc80 to \udcff, as in Python's "surrogateescape" (PEP 383).
// Nothing else is written that way, so every name can be recovered.

const lone = `\udc` // how such an escape begins

// unescape decodes the text of a valid JSON string, including its lone surrogates.
func unescape(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		c := text[i]
		if c != '\\' {
			if c < utf8.RuneSelf {
				out = append(out, c)
				i++
				continue
			}
			r, n := utf8.DecodeRune(text[i:])
			out = utf8.AppendRune(out, r)
			i += n
			continue
		}
		if text[i+1] != 'u' {
			out = append(out, "\"\\/\b\f\n\r\t"[strings.IndexByte(`"\/bfnrt`, text[i+1])])
			i += 2
			continue
		}
		r := hex4(text[i+2:])
		i += 6
		switch {
		case 0xdc80 <= r && r <= 0xdcff:
			out = append(out, byte(r))
		case 0xd800 <= r && r < 0xdc00 && i+6 <= len(text) && text[i] == '\\' && text[i+1] == 'u' && hex4(text[i+2:])>>10 == 0xdc00>>10:
			out = utf8.AppendRune(out, 0x10000+(r-0xd800)<<10+hex4(text[i+2:])-0xdc00)
			i += 6
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

func hex4(text []byte) rune {
	v, _ := strconv.ParseUint(string(text[:4]), 16, 16)
	return rune(v)
}

// marshal is json.Marshal of v, whose strings are those of r, with the escape of each byte that is not UTF-8 in place
// of the \ufffd that package json writes.
func marshal(v any, r Record) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil || !bytes.Contains(b, []byte(`\ufffd`)) {
		return b, err
	}
	var bad []byte
	eachText(reflect.ValueOf(r), func(s string) string {
		for i := 0; i < len(s); {
			c, n := utf8.DecodeRuneInString(s[i:])
			if c == utf8.RuneError && n == 1 {
				bad = append(bad, s[i])
			}
			i += n
		}
		return s
	})
	for i := 0; i+6 <= len(b) && len(bad) > 0; i++ {
		if b[i] != '\\' {
			continue
		}
		if string(b[i:i+6]) == `\ufffd` {
			copy(b[i:], fmt.Sprintf(`%s%02x`, lone, bad[0]))
			bad = bad[1:]
		}
		i++ // the escaped byte
	}
	return b, nil
}

// unmarshal is json.Unmarshal into r, with lone surrogates in strings turned back into bytes.
func unmarshal(line []byte, r Record) error {
	at := bytes.Index(bytes.ToLower(line), []byte(lone))
	if at < 0 {
		return json.Unmarshal(line, r)
	}
	// Package json cannot decode them to bytes: meanwhile a mark stands for them, a Unicode noncharacter that does
	// not occur in this text.
	mark := ""
	for c := rune(0xfdd0); c <= 0xfdef && mark == ""; c++ {
		if u := fmt.Sprintf(`\u%04x`, c); !bytes.Contains(line, []byte(string(c))) && !bytes.Contains(bytes.ToLower(line), []byte(u)) {
			mark = string(c)
		}
	}
	var marked []byte
	for i := 0; i < len(line); i++ {
		if line[i] != '\\' || i+6 > len(line) {
			marked = append(marked, line[i])
			continue
		}
		if line[i+1] != 'u' {
			marked = append(marked, line[i], line[i+1])
			i++
			continue
		}
		v, err := strconv.ParseUint(string(line[i+2:i+6]), 16, 16)
		switch {
		case err == nil && v>>10 == 0xd800>>10 && i+12 <= len(line): // a surrogate pair is kept
			marked = append(marked, line[i:i+12]...)
			i += 11
			continue
		case err == nil && 0xdc80 <= v && v <= 0xdcff && mark != "":
			marked = fmt.Appendf(marked, "%s%02x", mark, v&0xff)
		default:
			marked = append(marked, line[i:i+6]...)
		}
		i += 5
	}
	if err := json.Unmarshal(marked, r); err != nil || mark == "" {
		return err
	}
	eachText(reflect.ValueOf(r), func(s string) string {
		parts := strings.Split(s, mark)
		for i, p := range parts[1:] {
			if v, err := strconv.ParseUint(p[:min(2, len(p))], 16, 8); err == nil && len(p) >= 2 {
				parts[i+1] = string([]byte{byte(v)}) + p[2:]
			}
		}
		return strings.Join(parts, "")
	})
	return nil
}

// eachText replaces every string in v, in the order in which package json writes them.
func eachText(v reflect.Value, f func(string) string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			eachText(v.Elem(), f)
		}
	case reflect.String:
		if s := f(v.String()); s != v.String() {
			v.SetString(s)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachText(v.Index(i), f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			eachText(v.Field(i), f)
		}
	case reflect.Map: // Environment
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			eachText(v.MapIndex(k), f)
		}
	}
}
