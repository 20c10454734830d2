package symbolize

import (
	"debug/elf"

	"github.com/vmblame/vmblame/internal/elffile"
)

// code is the executable address ranges of a file. Debugging information describes discarded code too,
// with addresses near 0 or at the end of the address space; what lies outside is not the file's code.
type code []span

func codeOf(f *elffile.File) code {
	var c code
	for _, p := range f.Progs() {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && p.Vaddr+p.Memsz > p.Vaddr {
			c = append(c, span{lo: p.Vaddr, hi: p.Vaddr + p.Memsz})
		}
	}
	return c
}

// holds reports whether addr is the address of code.
func (c code) holds(addr uint64) bool {
	for i := range c {
		if addr >= c[i].lo && addr < c[i].hi {
			return true
		}
	}
	return false
}

// holdsRange reports whether [lo, hi) is a range of code. 0 is where linkers put what they discard.
func (c code) holdsRange(lo, hi uint64) bool {
	return lo != 0 && lo < hi && c.holds(lo) && c.holds(hi-1)
}
