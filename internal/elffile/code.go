package elffile

import (
	"debug/elf"

	"github.com/vmblame/vmblame/internal/vm"
)

// Code is the executable address ranges of a file. Debugging information describes discarded code too, with addresses
// near 0 or at the end of the address space; anything outside these ranges is not the file's code.
type Code []vm.Range

// Code returns the executable ranges of the file, in its own virtual addresses.
func (f *File) Code() Code {
	var c Code
	for _, p := range f.progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && p.Vaddr+p.Memsz > p.Vaddr {
			c = append(c, vm.Range{Start: p.Vaddr, End: p.Vaddr + p.Memsz})
		}
	}
	return c
}

// Len is how many bytes of code there are.
func (c Code) Len() uint64 {
	n := uint64(0)
	for i := range c {
		n += c[i].Len()
	}
	return n
}

// Holds reports whether addr is the address of code.
func (c Code) Holds(addr uint64) bool {
	for i := range c {
		if c[i].Contains(addr) {
			return true
		}
	}
	return false
}

// HoldsRange reports whether [start, end) is a range of code. A range at 0 is not: linkers put discarded code there.
func (c Code) HoldsRange(start, end uint64) bool {
	return start != 0 && start < end && c.Holds(start) && c.Holds(end-1)
}
