package vm

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// VsyscallStart is the address of the kernel's [vsyscall] page. It is not a VMA of the process and no call can change
// it, so vm leaves it out of every list.
const VsyscallStart = 0xffffffffff600000

// ParseMaps reads the text of /proc/PID/maps (proc(5), fs/proc/task_mmu.c show_map_vma) and appends its rows to dst,
// [vsyscall] left out. Paths are unescaped ("\012" is a newline). Strings are copied, so text may be reused; equal
// paths share their memory. Rows stay in the order of the text. An error names the line; the rows before it are
// returned. To parse repeatedly, keep a [MapsParser].
func ParseMaps(dst []Mapping, text []byte) ([]Mapping, error) {
	var p MapsParser
	return p.Parse(dst, text)
}

// MapsParser parses /proc/PID/maps repeatedly and reuses the strings of earlier texts. The zero value is ready. It is
// not safe for concurrent use; the rows it returns are, and stay valid.
type MapsParser struct {
	last  string            // what text returned last
	texts map[string]string // escaped text to unescaped
}

// maxTexts bounds a parser's cache of strings; a full cache is emptied.
const maxTexts = 4096

// Parse does what ParseMaps does.
func (p *MapsParser) Parse(dst []Mapping, text []byte) ([]Mapping, error) {
	for n := 1; len(text) > 0; n++ {
		var line []byte
		line, text = cutLine(text)
		if len(line) == 0 {
			continue
		}
		m, err := p.row(line)
		if err != nil {
			return dst, fmt.Errorf("line %d: %w", n, err)
		}
		if m.Start < VsyscallStart {
			dst = append(dst, m)
		}
	}
	return dst, nil
}

func cutLine(text []byte) (line, rest []byte) {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return text[:i], text[i+1:]
	}
	return text, nil
}

// text returns b as a string, "\012" unescaped to a newline, sharing memory with equal earlier strings. The kernel
// escapes nothing else, not even a backslash, so "\012" in a name cannot be told from a newline.
func (p *MapsParser) text(b []byte) string {
	switch {
	case len(b) == 0:
		return ""
	case string(b) == p.last:
		return p.last
	}
	s, ok := p.texts[string(b)]
	if !ok {
		key := string(b)
		s = strings.ReplaceAll(key, `\012`, "\n")
		if p.texts == nil {
			p.texts = make(map[string]string)
		} else if len(p.texts) >= maxTexts {
			clear(p.texts)
		}
		p.texts[key] = s
	}
	p.last = s
	return s
}

var errMapsLine = errors.New("not a row of /proc/PID/maps")

// row parses one line, given without its newline.
func (p *MapsParser) row(line []byte) (m Mapping, err error) {
	c := cursor{rest: line}
	m.Start = c.hex('-')
	m.End = c.hex(' ')
	m.Perms = c.perms()
	m.Offset = c.hex(' ')
	major := c.hex(':')
	minor := c.hex(' ')
	m.File.Inode = c.decimal()
	if c.bad || major|minor > 1<<32-1 || m.Start >= m.End || (m.Start|m.End)%PageSize != 0 {
		return Mapping{}, errMapsLine
	}
	m.File.Dev = Dev{uint32(major), uint32(minor)}
	path := c.rest
	for len(path) > 0 && path[0] == ' ' {
		path = path[1:]
	}
	m.File.Path = p.text(path)
	return m, nil
}

// cursor reads the columns of a row in order. Once bad is set it stays set.
type cursor struct {
	rest []byte
	bad  bool
}

// hex reads a hexadecimal number of at most 16 digits and the separator after it.
func (c *cursor) hex(sep byte) uint64 {
	var v uint64
	for i, b := range c.rest {
		d := hexDigits[b]
		if d == 0 {
			if b != sep || i == 0 || i > 16 {
				break
			}
			c.rest = c.rest[i+1:]
			return v
		}
		v = v<<4 | uint64(d-1)
	}
	c.bad = true
	return 0
}

// decimal reads the inode: a decimal number, and the space after it if the row does not end there.
func (c *cursor) decimal() uint64 {
	var v uint64
	for i, b := range c.rest {
		if b == ' ' && i > 0 {
			c.rest = c.rest[i+1:]
			return v
		}
		d := uint64(b - '0')
		if d > 9 || v > (1<<64-1-d)/10 {
			c.bad = true
			return 0
		}
		v = v*10 + d
	}
	c.bad = c.bad || len(c.rest) == 0
	c.rest = nil
	return v
}

// perms reads the column of permissions and the space after it.
func (c *cursor) perms() Perms {
	if len(c.rest) < 5 || c.rest[4] != ' ' {
		c.bad = true
		return 0
	}
	p, ok := perms([4]byte(c.rest))
	if !ok {
		c.bad = true
	}
	c.rest = c.rest[5:]
	return p
}

// hexDigits holds the value of each hexadecimal digit plus one, 0 for other bytes. It is never written to.
var hexDigits = [256]uint8{
	'0': 1, '1': 2, '2': 3, '3': 4, '4': 5, '5': 6, '6': 7, '7': 8, '8': 9, '9': 10,
	'a': 11, 'b': 12, 'c': 13, 'd': 14, 'e': 15, 'f': 16,
	'A': 11, 'B': 12, 'C': 13, 'D': 14, 'E': 15, 'F': 16,
}
