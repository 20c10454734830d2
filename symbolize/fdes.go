package symbolize

import (
	"debug/elf"
	"encoding/binary"
	"sort"

	"github.com/vmblame/vmblame/internal/elffile"
)

// fdeTable tells the ranges of a file's unwind table entries, through the search table of .eh_frame_hdr
// (LSB Core, "Exception Frames"). It reads the file at each question and keeps nothing but the header.
type fdeTable struct {
	f      *elffile.File
	opened bool
	hdr    uint64 // address of .eh_frame_hdr
	n      int    // entries of its table; 0 if there is none that we can read
}

// DW_EH_PE encodings.
const (
	pePtr     = 0x00
	peUdata4  = 0x03
	peUdata8  = 0x04
	peSdata4  = 0x0b
	peSdata8  = 0x0c
	pePCRel   = 0x10
	peDataRel = 0x30
)

func (t *fdeTable) open() {
	t.opened = true
	for _, p := range t.f.Progs() {
		if p.Type != elf.PT_GNU_EH_FRAME {
			continue
		}
		var b [12]byte
		if _, err := t.f.ReadVaddr(b[:], p.Vaddr); err != nil {
			return
		}
		// version, encodings of .eh_frame's address, of the count and of the table, as all linkers write them
		if b[0] != 1 || b[1] != pePCRel|peSdata4 || b[2] != peUdata4 || b[3] != peDataRel|peSdata4 || p.Memsz < 12 {
			return
		}
		n := binary.LittleEndian.Uint32(b[8:])
		if uint64(n) <= (p.Memsz-12)/8 {
			t.hdr, t.n = p.Vaddr, int(n)
		}
		return
	}
}

// row is entry i of the search table: where a function begins and where its FDE stands.
func (t *fdeTable) row(i int) (start, fde uint64, ok bool) {
	var b [8]byte
	if _, err := t.f.ReadVaddr(b[:], t.hdr+12+uint64(i)*8); err != nil {
		return 0, 0, false
	}
	at := func(b []byte) uint64 { return t.hdr + uint64(int64(int32(binary.LittleEndian.Uint32(b)))) }
	return at(b[:4]), at(b[4:]), true
}

// same reports whether no unwind table entry begins or ends in (a, b]: both addresses lie in one entry, or
// both in one gap between entries. In a file without a table it reports true.
func (t *fdeTable) same(a, b uint64) bool {
	if !t.opened {
		t.open()
	}
	if t.n == 0 {
		return true
	}
	last := func(addr uint64) int {
		return sort.Search(t.n, func(i int) bool {
			start, _, ok := t.row(i)
			return !ok || start > addr
		}) - 1
	}
	i := last(b)
	if i != last(a) {
		return false
	}
	if i < 0 {
		return true
	}
	start, fde, ok := t.row(i)
	if !ok {
		return false
	}
	size, ok := t.size(fde)
	return ok && (a-start < size) == (b-start < size)
}

// size is the number of bytes that the FDE at address fde covers.
func (t *fdeTable) size(fde uint64) (uint64, bool) {
	var b [24]byte
	n, _ := t.f.ReadVaddr(b[:], fde)
	if n < 16 {
		return 0, false
	}
	length := binary.LittleEndian.Uint32(b[:])
	if length == 0 || length == 0xffffffff {
		return 0, false
	}
	enc, ok := t.encoding(fde + 4 - uint64(binary.LittleEndian.Uint32(b[4:])))
	if !ok {
		return 0, false
	}
	switch enc & 0x0f {
	case peUdata4, peSdata4:
		return uint64(binary.LittleEndian.Uint32(b[12:])), true
	case pePtr, peUdata8, peSdata8:
		if enc&0x0f == pePtr && t.f.Class() == elf.ELFCLASS32 {
			return uint64(binary.LittleEndian.Uint32(b[12:])), true
		}
		return binary.LittleEndian.Uint64(b[16:]), n == len(b)
	}
	return 0, false
}

// encoding is how the FDEs of the CIE at that address write addresses.
func (t *fdeTable) encoding(cie uint64) (byte, bool) {
	var b [48]byte
	n, _ := t.f.ReadVaddr(b[:], cie)
	if n < 16 || binary.LittleEndian.Uint32(b[4:]) != 0 {
		return 0, false
	}
	aug := b[9:n]
	end := 0
	for end < len(aug) && aug[end] != 0 {
		end++
	}
	if end == len(aug) {
		return 0, false
	}
	letters, rest := aug[:end], aug[end+1:]
	if len(letters) == 0 {
		return pePtr, true
	}
	if letters[0] != 'z' {
		return 0, false
	}
	skip := func() bool { // one LEB128
		for len(rest) > 0 {
			c := rest[0]
			rest = rest[1:]
			if c < 0x80 {
				return true
			}
		}
		return false
	}
	// code alignment, data alignment, return address register, length of the augmentation data
	for range 4 {
		if !skip() {
			return 0, false
		}
	}
	for _, l := range letters[1:] {
		if len(rest) == 0 {
			return 0, false
		}
		switch l {
		case 'R':
			return rest[0], true
		case 'L':
			rest = rest[1:]
		case 'P':
			size := map[byte]int{pePtr: 8, peUdata4: 4, peUdata8: 8, peSdata4: 4, peSdata8: 8}[rest[0]&0x0f]
			if rest[0]&0x0f == pePtr && t.f.Class() == elf.ELFCLASS32 {
				size = 4
			}
			if size == 0 || len(rest) < 1+size {
				return 0, false
			}
			rest = rest[1+size:]
		case 'S', 'B':
		default:
			return 0, false
		}
	}
	return pePtr, true
}
