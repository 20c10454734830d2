package ehframe

import (
	"debug/elf"
	"encoding/binary"
	"sort"

	"github.com/vmblame/vmblame/internal/elffile"
)

// A Table finds the entries of one section. A nil Table has none. It is for one goroutine at a time.
type Table struct {
	word int // bytes of an address
	*header
	*index
}

// header is the binary search table of .eh_frame_hdr, left in the file.
type header struct {
	mem   *elffile.Segments
	vaddr uint64 // of the header, which the table's words are relative to
	table uint64 // vaddr of the first pair
	count uint64
}

// Open returns the table of .eh_frame, nil where the file has none that can be read. It reads the file through mem,
// and the whole section only if there is no search table.
func Open(f *elffile.File, mem *elffile.Segments) *Table {
	t := &Table{word: wordOf(f)}
	for _, p := range f.Progs() {
		if p.Type == elf.PT_GNU_EH_FRAME {
			if t.header = openHeader(mem, p); t.header != nil {
				return t
			}
			break
		}
	}
	s, ok := f.Section(".eh_frame")
	if !ok {
		return nil
	}
	return t.load(f, ".eh_frame", s.Addr, true)
}

// OpenDebugFrame returns the table of .debug_frame, which it holds in memory; nil where the file has none.
func OpenDebugFrame(f *elffile.File) *Table {
	t := &Table{word: wordOf(f)}
	return t.load(f, ".debug_frame", 0, false)
}

func wordOf(f *elffile.File) int {
	if f.Class() == elf.ELFCLASS32 {
		return 4
	}
	return 8
}

// openHeader reads a header of version 1 with a table of pairs of signed words relative to the header, which is
// what every linker writes.
func openHeader(mem *elffile.Segments, p elf.ProgHeader) *header {
	b := mem.Bytes(p.Vaddr, 4)
	if b == nil || b[0] != 1 || b[2] != encUdata4 || b[3] != encDataRel|encSdata4 {
		return nil
	}
	at := uint64(4)
	switch b[1] & 0x0f { // the pointer to .eh_frame, which is not needed
	case encUdata4, encSdata4:
		at += 4
	case encAbsptr, encUdata8, encSdata8:
		at += 8
	default:
		return nil
	}
	n := mem.Bytes(p.Vaddr+at, 4)
	if n == nil {
		return nil
	}
	count := min(uint64(binary.LittleEndian.Uint32(n)), (p.Memsz-min(p.Memsz, at+4))/8)
	if count == 0 {
		return nil
	}
	return &header{mem, p.Vaddr, p.Vaddr + at + 4, count}
}

// Find returns the last entry that begins at or below pc; Entry.Range tells whether it covers pc.
func (t *Table) Find(pc uint64) (Entry, bool) {
	if t == nil {
		return Entry{}, false
	}
	at, ok := t.last(pc)
	if !ok {
		return Entry{}, false
	}
	return t.entry(at)
}

// Same reports whether no entry begins or ends in (a, b]: both addresses lie in one entry, or both in one gap
// between entries. Where there is no table it reports true.
func (t *Table) Same(a, b uint64) bool {
	if t == nil {
		return true
	}
	x, inA := t.last(a)
	y, inB := t.last(b)
	if inA != inB || x != y {
		return false
	}
	if !inA {
		return true
	}
	e, ok := t.entry(x)
	if !ok {
		return false
	}
	start, end, ok := e.Range()
	return ok && (a >= start && a < end) == (b >= start && b < end)
}

// last locates the last entry that begins at or below pc: its address with a header, else its number in the index.
func (t *Table) last(pc uint64) (uint64, bool) {
	if t.header != nil {
		return t.header.last(pc)
	}
	i := sort.Search(len(t.list), func(i int) bool { return t.list[i].begin > pc })
	return uint64(i - 1), i > 0
}

func (t *Table) entry(at uint64) (Entry, bool) {
	if t.header != nil {
		return t.header.entry(at, t.word)
	}
	return t.index.entry(int(at), t.word)
}

func (h *header) last(pc uint64) (uint64, bool) {
	word := func(i, half uint64) (uint64, bool) {
		b := h.mem.Bytes(h.table+8*i+4*half, 4)
		if b == nil {
			return 0, false
		}
		return h.vaddr + uint64(int64(int32(binary.LittleEndian.Uint32(b)))), true
	}
	lo, hi := uint64(0), h.count
	for lo < hi {
		mid := lo + (hi-lo)/2
		v, ok := word(mid, 0)
		if !ok {
			return 0, false
		}
		if v <= pc {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return 0, false
	}
	return word(lo-1, 1)
}

// entry reads the FDE at vaddr and its CIE. 64-bit entries, which no compiler writes, are not supported.
func (h *header) entry(vaddr uint64, word int) (Entry, bool) {
	e, ok := h.raw(vaddr)
	if !ok {
		return Entry{}, false
	}
	back := uint64(binary.LittleEndian.Uint32(e[4:]))
	if back == 0 { // a CIE
		return Entry{}, false
	}
	cie, ok := h.raw(vaddr + 4 - back)
	if !ok || binary.LittleEndian.Uint32(cie[4:]) != 0 {
		return Entry{}, false
	}
	return Entry{CIE: cie, FDE: e, Vaddr: vaddr, EH: true, word: word}, true
}

func (h *header) raw(vaddr uint64) ([]byte, bool) {
	b := h.mem.Bytes(vaddr, 4)
	if b == nil {
		return nil, false
	}
	length := uint64(binary.LittleEndian.Uint32(b))
	if length < 4 || length > maxEntry {
		return nil, false
	}
	b = h.mem.Bytes(vaddr, 4+length)
	return b, b != nil
}
