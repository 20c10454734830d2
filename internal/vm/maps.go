package vm

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// VsyscallStart is where the kernel's [vsyscall] gate stands. It is no VMA of the process, no call can
// change it, and vm leaves it out of every list.
const VsyscallStart = 0xffffffffff600000

// ParseMaps reads the text of /proc/PID/maps (proc(5), fs/proc/task_mmu.c show_map_vma) and appends its
// rows to dst, [vsyscall] left out. Paths are unescaped ("\012" is a newline). Strings are copied, so
// text may be reused; a path equal to the one of the row before shares its memory.
func ParseMaps(dst []Mapping, text []byte) ([]Mapping, error) {
	var last string
	for n := 1; len(text) > 0; n++ {
		line := text
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			line, text = text[:i], text[i+1:]
		} else {
			text = nil
		}
		if len(line) == 0 {
			continue
		}
		m, err := parseMapsLine(line, last)
		if err != nil {
			return dst, fmt.Errorf("line %d: %w", n, err)
		}
		last = m.File.Path
		if m.Start >= VsyscallStart {
			continue
		}
		dst = append(dst, m)
	}
	return dst, nil
}

var errMapsLine = errors.New("not a row of /proc/PID/maps")

func parseMapsLine(line []byte, last string) (m Mapping, err error) {
	rest := line
	next := func(sep byte) []byte {
		i := bytes.IndexByte(rest, sep)
		if i < 0 {
			f := rest
			rest = nil
			return f
		}
		f := rest[:i]
		rest = rest[i+1:]
		return f
	}
	if m.Start, err = parseHexBytes(next('-')); err != nil {
		return m, errMapsLine
	}
	if m.End, err = parseHexBytes(next(' ')); err != nil {
		return m, errMapsLine
	}
	perms := next(' ')
	if len(perms) != 4 {
		return m, errMapsLine
	}
	for i, want := range "rwxs" {
		switch {
		case perms[i] == byte(want):
			m.Perms |= 1 << i
		case perms[i] == '-' && i < 3, perms[i] == 'p' && i == 3:
		default:
			return m, errMapsLine
		}
	}
	if m.Offset, err = parseHexBytes(next(' ')); err != nil {
		return m, errMapsLine
	}
	major, err := parseHexBytes(next(':'))
	if err != nil {
		return m, errMapsLine
	}
	minor, err := parseHexBytes(next(' '))
	if err != nil || major > 1<<32-1 || minor > 1<<32-1 {
		return m, errMapsLine
	}
	m.File.Dev = Dev{uint32(major), uint32(minor)}
	for _, c := range next(' ') {
		if c < '0' || c > '9' {
			return m, errMapsLine
		}
		m.File.Inode = m.File.Inode*10 + uint64(c-'0')
	}
	if m.Start >= m.End || (m.Start|m.End)%PageSize != 0 {
		return m, errMapsLine
	}
	path := bytes.TrimLeft(rest, " ")
	switch {
	case len(path) == 0:
	case string(path) == last:
		m.File.Path = last
	default:
		m.File.Path = strings.ReplaceAll(string(path), `\012`, "\n")
	}
	return m, nil
}

var errHex = errors.New("not a hexadecimal number")

func parseHex(s string, bits int) (uint64, error) {
	v, err := parseHexBytes([]byte(s))
	if err == nil && bits < 64 && v>>bits != 0 {
		return 0, errHex
	}
	return v, err
}

func parseHexBytes(s []byte) (uint64, error) {
	if len(s) == 0 || len(s) > 16 {
		return 0, errHex
	}
	var v uint64
	for _, c := range s {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, errHex
		}
		v = v<<4 | uint64(c)
	}
	return v, nil
}
