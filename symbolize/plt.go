package symbolize

import (
	"debug/elf"

	"github.com/vmblame/vmblame/internal/elffile"
)

const (
	sourcePLT    = "plt"
	sourceSymtab = "symtab"
	maxPLT       = 16 << 20 // bytes of a section of stubs
	noIndex      = ^uint32(0)
)

// pltNames gives stubs the names of what they jump to.
type pltNames struct {
	targets []pltTarget
	dynstr  elffile.Strings
	all     *symbols
}

// A pltTarget identifies what a stub jumps to: a symbol of .dynsym by the offset of its name, or an IFUNC by the
// address of its resolver.
type pltTarget struct {
	name     uint32
	resolver uint64
}

func (p *pltNames) At(n uint32) string {
	t := p.targets[n]
	name := ""
	if t.resolver == 0 {
		name = p.dynstr.At(t.name)
	} else if e := p.all.ifunc(t.resolver); e != nil {
		name = p.all.name(e)
	}
	if name == "" {
		return ""
	}
	return name + "@plt"
}

// ifunc returns the IFUNC symbol at addr. The resolver has a symbol there too.
func (s *symbols) ifunc(addr uint64) *entry {
	var best *entry
	for i := s.upTo(addr) - 1; i >= 0 && s.entries[i].value == addr; i-- {
		if e := &s.entries[i]; e.typ() == elf.STT_GNU_IFUNC && (best == nil || s.better(e, best)) {
			best = e
		}
	}
	return best
}

// addPLT adds a symbol for each stub of the procedure linkage table (System V ABI, x86-64, 5.2, and i386;
// .plt.sec with indirect branch tracking; .plt.got for functions whose address is taken too; .iplt for IFUNCs).
func addPLT(s *symbols, f *elffile.File) {
	p := &pltNames{all: s}
	slots := p.readSlots(f)
	if len(p.targets) == 0 || len(s.tables) > 255 {
		return
	}
	t := uint8(len(s.tables))
	sections, _ := f.Sections()
	s.tables = append(s.tables, table{source: sourcePLT, names: p, sections: sections})
	eachStub(f, func(stub []byte, addr uint64) {
		n, ok := slots.target(stub, addr)
		if ok && p.targets[n].name != noIndex && len(s.entries) < maxSymbols {
			s.entries = append(s.entries, entry{value: addr, size: uint32(len(stub)), name: n,
				table: t, info: elf.ST_INFO(elf.STB_LOCAL, elf.STT_FUNC)})
		}
	})
}
