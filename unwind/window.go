package unwind

import "encoding/binary"

// window caches the thread's memory during one walk: a few spans, each read once. Reads go up the stack in growing
// steps, since each costs a system call, and end at page boundaries, since the kernel's cost is per page.
type window struct {
	mem   RawMemory
	spans [8]span
	n     int // spans in use
	cur   int // the span of the last hit
	evict int // the next span to be replaced when all are in use
	step  uint64
}

// span holds the bytes of [base, base+len(buf)). If short is set nothing after them can be read.
type span struct {
	base  uint64
	buf   []byte
	short bool
}

const (
	pageSize    = 4096
	minWindow   = 2048
	maxStep     = 64 << 10
	maxSpan     = 256 << 10
	maxFirst    = 64 << 10
	keptSpanCap = 64 << 10 // the largest buffer a span keeps between walks
)

// reset forgets what was read and reads the first guess bytes (rounded up to a page's end) from sp on.
func (w *window) reset(mem RawMemory, sp, guess uint64) {
	w.mem, w.n, w.cur, w.evict = mem, 0, 0, 0
	guess = min(max(guess, minWindow), maxFirst)
	w.step = max(guess, pageSize)
	w.open(sp, sp+guess)
}

// release drops the reader and what is too large to keep.
func (w *window) release() {
	w.mem = nil
	for i := range w.spans {
		if cap(w.spans[i].buf) > keptSpanCap {
			w.spans[i].buf = nil
		}
	}
}

// u64 reads a word.
func (w *window) u64(addr uint64) (uint64, bool) {
	s := &w.spans[w.cur]
	if off := addr - s.base; off < uint64(len(s.buf)) && uint64(len(s.buf))-off >= 8 {
		return binary.LittleEndian.Uint64(s.buf[off:]), true
	}
	return w.u64Slow(addr)
}

func (w *window) u64Slow(addr uint64) (uint64, bool) {
	if p := w.find(addr, 8); p != nil {
		return binary.LittleEndian.Uint64(p), true
	}
	var b [8]byte // a word across two spans
	if !w.bytes(addr, b[:]) {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b[:]), true
}

// bytes fills p from addr on, even across spans, and reports whether all of it could be read.
func (w *window) bytes(addr uint64, p []byte) bool {
	for len(p) > 0 {
		got := w.find(addr, 1)
		if got == nil {
			return false
		}
		n := copy(p, got)
		p = p[n:]
		addr += uint64(n)
	}
	return true
}

// find returns the known bytes from addr on, at least n, reading more if needed; nil if no span has that many.
func (w *window) find(addr, n uint64) []byte {
	if addr+n < addr {
		return nil
	}
	for i := 0; i < w.n; i++ {
		s := &w.spans[i]
		off := addr - s.base
		if off < uint64(len(s.buf)) {
			if uint64(len(s.buf))-off < n && !w.extend(i, addr+n) {
				return nil
			}
			w.cur = i
			return w.spans[i].buf[off:]
		}
		// Just after a span: extend it rather than begin another.
		if end := s.base + uint64(len(s.buf)); addr >= end && addr-end < maxStep/4 {
			if s.short {
				if addr < (end+pageSize)&^(pageSize-1) {
					return nil
				}
				continue
			}
			if w.extend(i, addr+n) {
				w.cur = i
				return w.spans[i].buf[off:]
			}
			if w.spans[i].short {
				return nil
			}
		}
	}
	start := addr &^ (pageSize - 1)
	i := w.open(start, addr+n)
	if s := &w.spans[i]; addr-s.base < uint64(len(s.buf)) && uint64(len(s.buf))-(addr-s.base) >= n {
		w.cur = i
		return s.buf[addr-s.base:]
	}
	return nil
}

// open begins a span at start that reaches at least to end, and to the end of that page.
func (w *window) open(start, end uint64) int {
	i := w.n
	if i < len(w.spans) {
		w.n++
	} else {
		i = w.evict
		w.evict = (w.evict + 1) % len(w.spans)
	}
	s := &w.spans[i]
	s.base, s.buf, s.short = start, s.buf[:0], false
	w.read(s, end)
	return i
}

// extend continues span i at least up to end, and reports whether it could.
func (w *window) extend(i int, end uint64) bool {
	s := &w.spans[i]
	if s.short || end-s.base > maxSpan {
		return false
	}
	w.read(s, max(end, s.base+uint64(len(s.buf))+w.step))
	w.step = min(w.step*2, maxStep)
	return s.base+uint64(len(s.buf)) >= end
}

// read appends to s the bytes from its end to the end of the page that contains end.
func (w *window) read(s *span, end uint64) {
	end = (end + pageSize - 1) &^ (pageSize - 1)
	have := len(s.buf)
	if end <= s.base+uint64(have) { // the top of the address space
		s.short = true
		return
	}
	want := int(end - s.base)
	if cap(s.buf) < want {
		grown := make([]byte, have, max(want, 2*cap(s.buf)))
		copy(grown, s.buf)
		s.buf = grown
	}
	s.buf = s.buf[:want]
	n := w.mem.ReadMemory(s.base+uint64(have), s.buf[have:])
	if n < want-have {
		s.short = true
	}
	s.buf = s.buf[:have+max(0, min(n, want-have))]
}
