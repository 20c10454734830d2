package symbolize

import (
	"bytes"
	"encoding/binary"
)

// A cursor reads a section forward. A read past its end yields zeros and sets bad, which stays set.
type cursor struct {
	s   *section
	pos int64 // of the next byte
	end int64
	bad bool
	win []byte // the bytes from pos on that are at hand
	buf []byte
}

const windowSize = 4096

// cursorAt returns a cursor over [off, end) of s; of nothing where that is not a range of s.
func cursorAt(s *section, off, end int64) *cursor {
	c := new(cursor)
	c.reset(s, off, end)
	return c
}

func (c *cursor) reset(s *section, off, end int64) {
	if c.s != s {
		c.buf = nil
	}
	*c = cursor{s: s, pos: off, end: end, buf: c.buf}
	if s == nil || off < 0 || off > end || end > s.size {
		c.pos, c.end, c.bad = 0, 0, true
		return
	}
	if s.mem != nil && (s.packed == nil || end <= s.ready) {
		c.win = s.mem[off:end]
	}
}

// need returns the next n bytes and what else is at hand behind them, or nil.
func (c *cursor) need(n int) []byte {
	if len(c.win) < n && !c.fill(n) {
		return nil
	}
	return c.win
}

// take returns the next n bytes, at most windowSize, and goes behind them; nil where there are none.
func (c *cursor) take(n int) []byte {
	if len(c.win) < n && !c.fill(n) {
		return nil
	}
	b := c.win[:n]
	c.advance(n)
	return b
}

// fill brings at least n bytes, at most windowSize, into the window.
func (c *cursor) fill(n int) bool {
	if c.bad || int64(n) > c.end-c.pos {
		c.fail()
		return false
	}
	// What is at hand in memory is in the window whole, so this is still to be inflated, or in a file.
	if c.s.mem != nil {
		c.win = c.s.inflated(c.pos, c.end, n)
		if c.win == nil {
			c.fail()
		}
		return !c.bad
	}
	if c.buf == nil {
		c.buf = c.s.window()
	}
	k := c.s.readAt(c.buf[:min(int64(len(c.buf)), c.end-c.pos)], c.pos)
	if k < n {
		c.fail()
		return false
	}
	c.win = c.buf[:k]
	return true
}

// done gives the cursor's window back to its section. The cursor is at its end then.
func (c *cursor) done() {
	if c.buf != nil {
		c.s.free = append(c.s.free, c.buf)
	}
	c.buf = nil
	c.fail()
}

func (c *cursor) fail() {
	c.bad, c.win, c.pos = true, nil, c.end
}

func (c *cursor) advance(n int) {
	c.win = c.win[n:]
	c.pos += int64(n)
}

func (c *cursor) more() bool { return !c.bad && c.pos < c.end }

// skip moves n bytes on.
func (c *cursor) skip(n uint64) {
	if n <= uint64(len(c.win)) {
		c.advance(int(n))
		return
	}
	if c.bad || n > uint64(c.end-c.pos) {
		c.fail()
		return
	}
	c.pos += int64(n)
	c.win = nil
}

// seek moves to an absolute position, which is not before the beginning of the window only by luck; it
// may lie anywhere in [0, end].
func (c *cursor) seek(pos int64) {
	if pos >= c.pos {
		c.skip(uint64(pos - c.pos))
		return
	}
	c.reset(c.s, pos, c.end)
}

func (c *cursor) u8() uint8 {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u24() uint32 {
	if b := c.take(3); b != nil {
		return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// uint reads an unsigned number of 1, 2, 4 or 8 bytes.
func (c *cursor) uint(size int) uint64 {
	switch size {
	case 1:
		return uint64(c.u8())
	case 2:
		return uint64(c.u16())
	case 4:
		return uint64(c.u32())
	case 8:
		return c.u64()
	}
	c.fail()
	return 0
}

// offset reads an offset of the 32-bit or the 64-bit DWARF format.
func (c *cursor) offset(dwarf64 bool) uint64 {
	if dwarf64 {
		return c.u64()
	}
	return uint64(c.u32())
}

const (
	maxLEB    = 16      // bytes of a number: ten suffice, assemblers may pad
	maxInline = 1 << 20 // bytes of a string among other data
)

// uleb reads an unsigned LEB128 number; bits past 64 are dropped.
func (c *cursor) uleb() uint64 {
	var v uint64
	for shift := uint(0); shift < 7*maxLEB; shift += 7 {
		b := c.u8()
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b < 0x80 {
			return v
		}
	}
	c.fail()
	return 0
}

// sleb reads a signed LEB128 number.
func (c *cursor) sleb() int64 {
	var v int64
	for shift := uint(0); shift < 7*maxLEB; shift += 7 {
		b := c.u8()
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
	c.fail()
	return 0
}

// skipString moves past a zero-terminated string.
func (c *cursor) skipString() {
	for start := c.pos; c.pos-start < maxInline; {
		b := c.need(1)
		if b == nil {
			return
		}
		if i := bytes.IndexByte(b, 0); i >= 0 {
			c.advance(i + 1)
			return
		}
		c.advance(len(b))
	}
	c.fail()
}

// initialLength reads the length that units begin with, and returns the position where they end.
func (c *cursor) initialLength() (end int64, dwarf64 bool) {
	n := uint64(c.u32())
	if n == 0xffffffff {
		dwarf64 = true
		n = c.u64()
	} else if n >= 0xfffffff0 {
		c.fail()
	}
	if c.bad || n > uint64(c.end-c.pos) {
		c.fail()
		return c.end, dwarf64
	}
	return c.pos + int64(n), dwarf64
}

// stringAt reads the zero-terminated string at off, at most maxName bytes of it.
func (s *section) stringAt(off uint64) string {
	if s == nil || off >= uint64(s.size) {
		return ""
	}
	s.whole()
	if s.mem != nil {
		return stringTable{byteReader(s.mem), 0, s.size}.name64(int64(off))
	}
	return stringTable{s.r, s.base, s.size}.name64(int64(off))
}

type byteReader []byte

func (b byteReader) ReadAt(p []byte, off int64) (int, error) { return copy(p, b[off:]), nil }
