package elffile

import (
	"bytes"
	"encoding/binary"
)

// A Cursor reads untrusted little-endian values forward through a Section, Segments or a byte slice. A read past the
// end yields zeros and makes the Cursor bad for good.
type Cursor struct {
	s    *Section
	seg  *Segments
	pos  int64 // of the next byte
	end  int64
	bad  bool
	win  []byte // buffered bytes from pos on
	page []byte // the buffer of s that win points into
}

const windowSize = 4096

// CursorOver returns a Cursor over b, whose positions count from 0.
func CursorOver(b []byte) Cursor { return Cursor{win: b, end: int64(len(b))} }

// Cursor returns a Cursor over [off, end) of the section, whose positions are offsets into the section. It is bad if
// that range does not exist, and for a nil Section. Done releases its buffer.
func (s *Section) Cursor(off, end int64) *Cursor {
	c := new(Cursor)
	c.reset(s, off, end)
	return c
}

func (c *Cursor) reset(s *Section, off, end int64) {
	*c = Cursor{s: s, pos: off, end: end, page: c.page}
	if s == nil || off < 0 || off > end || end > s.size {
		c.pos, c.end, c.bad = 0, 0, true
		return
	}
	if s.mem != nil && (s.packed == nil || end <= s.ready) {
		c.win = s.mem[off:end]
	}
}

// Pos is the position of the next byte.
func (c *Cursor) Pos() int64 { return c.pos }

// End is the position after the last byte.
func (c *Cursor) End() int64 { return c.end }

// Len is how many bytes are left.
func (c *Cursor) Len() int64 { return c.end - c.pos }

// Bad reports whether more was read than there is, or Fail was called.
func (c *Cursor) Bad() bool { return c.bad }

// More reports whether there is a byte left.
func (c *Cursor) More() bool { return !c.bad && c.pos < c.end }

// Fail makes the Cursor bad, for a caller that has read invalid data.
func (c *Cursor) Fail() {
	c.bad, c.win, c.pos = true, nil, c.end
}

// Done gives the Cursor's buffer back to its section. The Cursor is bad then.
func (c *Cursor) Done() {
	if c.page != nil {
		c.s.free = append(c.s.free, c.page)
	}
	c.page = nil
	c.Fail()
}

// Bytes returns the next n bytes, at most 4096 of a Section or of Segments, and moves past them; nil if there are
// fewer. They stay valid until the next read.
func (c *Cursor) Bytes(n int) []byte {
	if len(c.win) < n && !c.fill(n) {
		return nil
	}
	b := c.win[:n]
	c.advance(n)
	return b
}

// fill brings at least n bytes, at most windowSize, into the window, and reports whether it could. If not, the Cursor
// is bad.
func (c *Cursor) fill(n int) bool {
	if c.bad || int64(n) > c.end-c.pos {
		c.Fail()
		return false
	}
	switch {
	case c.seg != nil:
		c.win = c.seg.window(uint64(c.pos), uint64(n))
		c.win = c.win[:min(int64(len(c.win)), c.end-c.pos)]
	case c.s.mem != nil: // the inflated bytes are in the window already: inflate more
		c.win = c.s.inflated(c.pos, c.end, n)
	default:
		if c.page == nil {
			c.page = c.s.window()
		}
		c.win = c.page[:c.s.readAt(c.page[:min(int64(len(c.page)), c.end-c.pos)], c.pos)]
	}
	if len(c.win) < n {
		c.Fail()
	}
	return !c.bad
}

func (c *Cursor) advance(n int) {
	c.win = c.win[n:]
	c.pos += int64(n)
}

// Skip moves n bytes on.
func (c *Cursor) Skip(n uint64) {
	if n <= uint64(len(c.win)) {
		c.advance(int(n))
		return
	}
	if c.bad || n > uint64(c.end-c.pos) {
		c.Fail()
		return
	}
	c.pos += int64(n)
	c.win = nil
}

// MoveTo moves a section's Cursor to a position, forward or back, at most to the end. Moving back drops the window,
// which holds nothing before the next byte.
func (c *Cursor) MoveTo(pos int64) {
	if pos >= c.pos {
		c.Skip(uint64(pos - c.pos))
		return
	}
	c.reset(c.s, pos, c.end)
}

// U8 reads a byte.
func (c *Cursor) U8() uint8 {
	if b := c.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads a number of two bytes.
func (c *Cursor) U16() uint16 {
	if b := c.Bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// U24 reads a number of three bytes.
func (c *Cursor) U24() uint32 {
	if b := c.Bytes(3); b != nil {
		return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	}
	return 0
}

// U32 reads a number of four bytes.
func (c *Cursor) U32() uint32 {
	if b := c.Bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 reads a number of eight bytes.
func (c *Cursor) U64() uint64 {
	if b := c.Bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Uint reads an unsigned number of 1, 2, 4 or 8 bytes.
func (c *Cursor) Uint(size int) uint64 {
	switch size {
	case 1:
		return uint64(c.U8())
	case 2:
		return uint64(c.U16())
	case 4:
		return uint64(c.U32())
	case 8:
		return c.U64()
	}
	c.Fail()
	return 0
}

const (
	maxLEB    = 16      // bytes of a number: ten suffice, assemblers may pad
	maxInline = 1 << 20 // bytes of a string among other data
)

// Uleb reads an unsigned LEB128 number (DWARF 5, 7.6); bits past 64 are dropped.
func (c *Cursor) Uleb() uint64 {
	var v uint64
	for shift := uint(0); shift < 7*maxLEB; shift += 7 {
		b := c.U8()
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b < 0x80 {
			return v
		}
	}
	c.Fail()
	return 0
}

// Sleb reads a signed LEB128 number.
func (c *Cursor) Sleb() int64 {
	var v int64
	for shift := uint(0); shift < 7*maxLEB; shift += 7 {
		b := c.U8()
		if shift < 64 {
			v |= int64(b&0x7f) << shift
		}
		if b < 0x80 {
			if b&0x40 != 0 && shift+7 < 64 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
	c.Fail()
	return 0
}

// String reads a zero-terminated string, at most a megabyte.
func (c *Cursor) String() string {
	var out []byte
	c.eachPart(func(part []byte) { out = append(out, part...) })
	if c.bad {
		return ""
	}
	return string(out)
}

// SkipString moves past a zero-terminated string.
func (c *Cursor) SkipString() { c.eachPart(func([]byte) {}) }

// eachPart moves past a string and calls f for its bytes, window by window.
func (c *Cursor) eachPart(f func([]byte)) {
	for start := c.pos; c.pos-start < maxInline; {
		if len(c.win) == 0 && !c.fill(1) {
			return
		}
		if i := bytes.IndexByte(c.win, 0); i >= 0 {
			f(c.win[:i])
			c.advance(i + 1)
			return
		}
		f(c.win)
		c.advance(len(c.win))
	}
	c.Fail()
}
