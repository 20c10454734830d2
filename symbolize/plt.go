package symbolize

import (
	"debug/elf"
	"encoding/binary"

	"github.com/vmblame/vmblame/internal/elffile"
)

const (
	sourcePLT  = "plt"
	maxPLT     = 16 << 20 // bytes of a section of stubs
	relaSize   = 24       // bytes of an Elf64_Rela
	maxRelocs  = 1 << 20
	rJumpSlot  = 7  // R_X86_64_JUMP_SLOT
	rGlobDat   = 6  // R_X86_64_GLOB_DAT
	rIRelative = 37 // R_X86_64_IRELATIVE
	noIndex    = ^uint32(0)
)

// pltNames gives stubs the names of what they jump to.
type pltNames struct {
	targets []pltTarget
	dynstr  stringTable
	all     *symbols
}

// A pltTarget is a symbol of .dynsym by the offset of its name, or the function that chooses the target
// of an IFUNC, by its address.
type pltTarget struct {
	name     uint32
	resolver uint64
}

func (p *pltNames) name(n uint32) string {
	t := p.targets[n]
	name := ""
	if t.resolver == 0 {
		name = p.dynstr.name(t.name)
	} else if e := p.all.sized(t.resolver); e != nil && e.value == t.resolver && e.typ() == elf.STT_GNU_IFUNC {
		name = p.all.name(e)
	}
	if name == "" {
		return ""
	}
	return name + "@plt"
}

// addPLT adds a symbol for each stub of the procedure linkage table (System V ABI, x86-64, 5.2; .plt.sec
// with indirect branch tracking; .plt.got for functions whose address is taken too).
func addPLT(s *symbols, f *elffile.File) {
	p := &pltNames{all: s}
	slots := p.readRelocs(f)
	if len(p.targets) == 0 || len(s.tables) > 255 {
		return
	}
	t := uint8(len(s.tables))
	sections, _ := f.Sections()
	s.tables = append(s.tables, table{source: sourcePLT, stringer: p, sections: sections})
	for _, name := range []string{".plt", ".plt.got", ".plt.sec", ".iplt"} {
		sh, ok := f.Section(name)
		if !ok || sh.Type != elf.SHT_PROGBITS {
			continue
		}
		b, err := f.SectionData(name, maxPLT)
		if err != nil {
			continue
		}
		step := uint64(16)
		if name == ".plt.got" && sh.Entsize == 8 {
			step = 8
		}
		for at := uint64(0); at+8 <= uint64(len(b)); at += step {
			stub := b[at:min(at+step, uint64(len(b)))]
			n, ok := stubTarget(stub, sh.Addr+at, slots, p)
			if ok && len(s.entries) < maxSymbols {
				s.entries = append(s.entries, entry{value: sh.Addr + at, size: uint32(len(stub)), name: n,
					table: t, info: elf.ST_INFO(elf.STB_LOCAL, elf.STT_FUNC)})
			}
		}
	}
}

// stubTarget tells which target a stub at address addr jumps to: through its slot of the global offset
// table, or for the first half of a pair (.plt beside .plt.sec) by the number of the relocation it pushes.
func stubTarget(stub []byte, addr uint64, slots pltSlots, p *pltNames) (uint32, bool) {
	at := 0
	if len(stub) >= 4 && stub[0] == 0xf3 && stub[1] == 0x0f && stub[2] == 0x1e && stub[3] == 0xfa { // endbr64
		at = 4
	}
	if len(stub) >= at+5 && stub[at] == 0x68 { // push $n
		n := binary.LittleEndian.Uint32(stub[at+1:])
		if uint64(n) < uint64(slots.jumps) {
			return n, p.targets[n].name != noIndex
		}
		return 0, false
	}
	if len(stub) > at && stub[at] == 0xf2 { // bnd
		at++
	}
	if len(stub) < at+6 || stub[at] != 0xff || stub[at+1] != 0x25 { // jmp *slot(%rip)
		return 0, false
	}
	slot := addr + uint64(at) + 6 + uint64(int64(int32(binary.LittleEndian.Uint32(stub[at+2:]))))
	n, ok := slots.at[slot]
	return n, ok && p.targets[n].name != noIndex
}

// pltSlots tells the target of a slot of the global offset table; the first jumps targets are those of
// .rela.plt in its order.
type pltSlots struct {
	at    map[uint64]uint32
	jumps int
}

func (p *pltNames) readRelocs(f *elffile.File) pltSlots {
	slots := pltSlots{at: make(map[uint64]uint32)}
	var syms []byte
	if sh, ok := f.Section(".dynsym"); ok {
		syms, _ = f.SectionData(".dynsym", maxPLT)
		if sections, err := f.Sections(); err == nil && int(sh.Link) < len(sections) && inside(f, sections[sh.Link]) {
			str := sections[sh.Link]
			p.dynstr = stringTable{f, int64(str.Offset), int64(str.FileSize)}
		}
	}
	le := binary.LittleEndian
	for _, name := range []string{".rela.plt", ".rela.dyn", ".rela.iplt"} {
		if name == ".rela.dyn" {
			if _, ok := f.Section(".plt.got"); !ok {
				continue
			}
		}
		b, err := f.SectionData(name, maxRelocs*relaSize)
		if err != nil {
			continue
		}
		for ; len(b) >= relaSize; b = b[relaSize:] {
			t := pltTarget{name: noIndex}
			info := le.Uint64(b[8:])
			switch typ, sym := info&0xffffffff, (info>>32)*symSize; {
			case typ == rIRelative:
				t.resolver, t.name = le.Uint64(b[16:]), 0
			case (typ == rJumpSlot || typ == rGlobDat) && sym != 0 && sym+symSize <= uint64(len(syms)):
				t.name = le.Uint32(syms[sym:])
			case name == ".rela.dyn":
				continue
			}
			slots.at[le.Uint64(b)] = uint32(len(p.targets))
			p.targets = append(p.targets, t)
		}
		if name == ".rela.plt" {
			slots.jumps = len(p.targets)
		}
	}
	return slots
}
