package eventlog

import (
	"strconv"
	"unicode/utf8"
)

func appendInt(dst []byte, key string, v int64) []byte {
	return strconv.AppendInt(append(dst, key...), v, 10)
}

func appendUint(dst []byte, key string, v uint64) []byte {
	return strconv.AppendUint(append(dst, key...), v, 10)
}

func appendHex(dst []byte, h Hex) []byte {
	dst = append(dst, `"0x`...)
	dst = strconv.AppendUint(dst, uint64(h), 16)
	return append(dst, '"')
}

func appendExecSeq(dst []byte, e ExecSeq) []byte {
	if e == 0 {
		return append(dst, `null`...)
	}
	return strconv.AppendUint(dst, uint64(e), 10)
}

// appendOrigin writes a seq or null.
func appendOrigin(dst []byte, o *uint64) []byte {
	if o == nil {
		return append(dst, `"origin":null`...)
	}
	return appendUint(dst, `"origin":`, *o)
}

func appendArgs(dst []byte, args Args) []byte {
	dst = append(dst, '{')
	for i := range args {
		if i > 0 {
			dst = append(dst, ',')
		}
		a := &args[i]
		dst = appendString(dst, a.Name)
		dst = append(dst, ':')
		switch {
		case a.Text != "":
			dst = appendString(dst, a.Text)
		case a.Address:
			dst = appendHex(dst, Hex(a.Value))
		default:
			dst = strconv.AppendInt(dst, a.Value, 10)
		}
	}
	return append(dst, '}')
}

func appendResult(dst []byte, r Result) []byte {
	if r.Address {
		return appendHex(dst, Hex(r.Value))
	}
	return strconv.AppendInt(dst, r.Value, 10)
}

func appendChanges(dst []byte, changes []Change) []byte {
	dst = append(dst, '[')
	for i := range changes {
		if i > 0 {
			dst = append(dst, ',')
		}
		c := &changes[i]
		dst = append(dst, `{"start":`...)
		dst = appendHex(dst, c.Start)
		dst = append(dst, `,"end":`...)
		dst = appendHex(dst, c.End)
		dst = append(dst, `,"was":`...)
		dst = appendAttrOrNull(dst, c.Was)
		dst = append(dst, `,"now":`...)
		dst = appendAttrOrNull(dst, c.Now)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendAttrOrNull(dst []byte, a *Attr) []byte {
	if a == nil {
		return append(dst, `null`...)
	}
	return append(appendAttr(append(dst, '{'), a), '}')
}

// appendMapping leaves the object open: a snapshot appends more fields.
func appendMapping(dst []byte, m *Mapping) []byte {
	dst = append(dst, `{"start":`...)
	dst = appendHex(dst, m.Start)
	dst = append(dst, `,"end":`...)
	dst = appendHex(dst, m.End)
	dst = append(dst, ',')
	return appendAttr(dst, &m.Attr)
}

// appendAttr writes the fields without the braces.
func appendAttr(dst []byte, a *Attr) []byte {
	dst = append(dst, `"perms":`...)
	dst = appendString(dst, a.Perms)
	dst = appendUint(dst, `,"offset":`, a.Offset)
	dst = append(dst, `,"dev":`...)
	dst = appendString(dst, a.Dev)
	dst = appendUint(dst, `,"inode":`, a.Inode)
	dst = append(dst, `,"path":`...)
	dst = appendString(dst, a.Path)
	dst = append(dst, ',')
	dst = appendOrigin(dst, a.Origin)
	if a.OriginCause != "" {
		dst = append(dst, `,"origin_cause":`...)
		dst = appendString(dst, a.OriginCause)
	}
	if a.Exec != nil {
		dst = append(dst, `,"exec":`...)
		dst = appendExecSeq(dst, *a.Exec)
	}
	if a.MovedFrom != nil {
		dst = append(dst, `,"moved_from":{"start":`...)
		dst = appendHex(dst, a.MovedFrom.Start)
		dst = append(dst, ',')
		dst = appendOrigin(dst, a.MovedFrom.Origin)
		dst = append(dst, '}')
	}
	return dst
}

// Bit c&63 of plainLow (c < 64) or plainHigh (64 <= c < 128) is set for the bytes that encoding/json writes as they
// are: printable ASCII without the quote, the backslash and <, > and &.
const (
	plainLow  = ^uint64(0) &^ (1<<32 - 1) &^ (1 << '"') &^ (1 << '&') &^ (1 << '<') &^ (1 << '>')
	plainHigh = ^uint64(0) &^ (1 << ('\\' - 64))
)

// plain reports whether encoding/json writes byte c of a string as it is, without an escape.
func plain(c byte) bool {
	if c < 64 {
		return plainLow>>c&1 != 0
	}
	return c < 128 && plainHigh>>(c-64)&1 != 0
}

// appendString writes s as encoding/json does with HTML escaping, except for bytes that are not UTF-8 (bytes.go).
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		if !plain(s[i]) {
			return appendEscaped(dst, s, i)
		}
	}
	dst = append(dst, s...)
	return append(dst, '"')
}

// appendEscaped continues appendString at s[i], the first byte that is not plain.
func appendEscaped(dst []byte, s string, i int) []byte {
	const digits = "0123456789abcdef"
	done := 0
	for i < len(s) {
		c := s[i]
		if plain(c) {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(dst, s[done:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\b':
				dst = append(dst, '\\', 'b')
			case '\f':
				dst = append(dst, '\\', 'f')
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			}
			i++
			done = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, s[done:i]...)
			dst = append(dst, lone...)
			dst = append(dst, digits[s[i]>>4], digits[s[i]&15])
			done = i + n
		case r == '\u2028' || r == '\u2029': // line ends for JavaScript
			dst = append(dst, s[done:i]...)
			dst = append(dst, `\u202`...)
			dst = append(dst, digits[r&15])
			done = i + n
		}
		i += n
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}
