package symbolize

import (
	"bytes"
	"debug/elf"
	"encoding/binary"

	"github.com/vmblame/vmblame/internal/elffile"
)

// Types of relocations; the first two are the same for R_X86_64 and R_386.
const (
	rGlobDat      = 6
	rJumpSlot     = 7
	rIRelative64  = 37
	rIRelative386 = 42

	maxRelocs = 1 << 20
)

// pltSlots maps slots of the global offset table to the targets of the stubs that use them.
type pltSlots struct {
	machine elf.Machine
	at      map[uint64]uint32 // the target by the slot's address
	jumps   []uint32          // the targets of .rela.plt in its order
	got     uint64            // _GLOBAL_OFFSET_TABLE_, to which %ebx points in code for i386; 0 where it is not used
	relSize uint32            // bytes of a relocation
}

// readSlots reads the relocations that fill the slots.
func (p *pltNames) readSlots(f *elffile.File) *pltSlots {
	slots := &pltSlots{machine: f.Machine(), at: make(map[uint64]uint32)}
	symSize, readSymbol := symbolForm(f)
	var syms []byte
	if sh, ok := f.Section(".dynsym"); ok {
		syms, _ = f.SectionData(".dynsym", maxPLT)
		if sections, err := f.Sections(); err == nil && int(sh.Link) < len(sections) && f.Inside(sections[sh.Link]) {
			p.dynstr = f.Strings(sections[sh.Link])
		}
	}
	irelative := uint32(rIRelative64)
	if slots.machine == elf.EM_386 {
		irelative = rIRelative386
	}
	_, loose := f.Section(".plt.got")
	_, chosen := f.Section(".iplt")
	for _, name := range []string{".rela.plt", ".rel.plt", ".rela.dyn", ".rel.dyn", ".rela.iplt", ".rel.iplt"} {
		data := name == ".rela.dyn" || name == ".rel.dyn"
		sh, ok := f.Section(name)
		if !ok || data && !loose && !chosen {
			continue
		}
		b, err := f.SectionData(name, maxRelocs*24)
		if err != nil {
			continue
		}
		eachReloc(f, sh.Type, b, func(r reloc) {
			t := pltTarget{name: noIndex}
			at := uint64(r.sym) * uint64(symSize)
			switch {
			case r.typ == irelative:
				t.resolver, t.name = r.addend, 0
			case (r.typ == rJumpSlot || r.typ == rGlobDat) && r.sym != 0 && at+uint64(symSize) <= uint64(len(syms)):
				s, _ := readSymbol(syms[at:])
				t.name = s.name
			case data:
				return
			}
			slots.at[r.slot] = uint32(len(p.targets))
			p.targets = append(p.targets, t)
		})
		if name == ".rela.plt" || name == ".rel.plt" {
			for i := range p.targets {
				slots.jumps = append(slots.jumps, uint32(i))
			}
			slots.relSize = relocSize(f, sh.Type)
		}
	}
	if slots.machine == elf.EM_386 {
		slots.findTable(f)
	}
	return slots
}

// findTable finds _GLOBAL_OFFSET_TABLE_: linkers put it at the beginning of .got.plt or of .got, and only the right
// one makes all stubs refer to slots that relocations fill.
func (s *pltSlots) findTable(f *elffile.File) {
	most := 0
	for _, name := range []string{".got.plt", ".got"} {
		sh, ok := f.Section(name)
		if !ok {
			continue
		}
		try := *s
		try.got = sh.Addr
		hits := 0
		eachStub(f, func(stub []byte, addr uint64) {
			if _, ok := try.target(stub, addr); ok {
				hits++
			}
		})
		if hits > most {
			most, s.got = hits, sh.Addr
		}
	}
}

// eachStub calls yield for the stubs of the procedure linkage table.
func eachStub(f *elffile.File, yield func(stub []byte, addr uint64)) {
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
			yield(b[at:min(at+step, uint64(len(b)))], sh.Addr+at)
		}
	}
}

// A reloc is a relocation (gABI, "Relocation"): addend is the word in the file at slot if the entry holds none.
type reloc struct {
	slot   uint64
	typ    uint32
	sym    uint32
	addend uint64
}

func relocSize(f *elffile.File, typ elf.SectionType) uint32 {
	size := uint32(16)
	if f.Class() == elf.ELFCLASS32 {
		size = 8
	}
	if typ == elf.SHT_RELA {
		size += size / 2
	}
	return size
}

// eachReloc calls yield for the relocations in b, the contents of a section of type SHT_RELA or SHT_REL.
func eachReloc(f *elffile.File, typ elf.SectionType, b []byte, yield func(reloc)) {
	le := binary.LittleEndian
	size := int(relocSize(f, typ))
	for ; len(b) >= size; b = b[size:] {
		var r reloc
		if f.Class() == elf.ELFCLASS32 {
			info := le.Uint32(b[4:])
			r = reloc{slot: uint64(le.Uint32(b)), typ: info & 0xff, sym: info >> 8}
			if typ == elf.SHT_RELA {
				r.addend = uint64(le.Uint32(b[8:]))
			}
		} else {
			info := le.Uint64(b[8:])
			r = reloc{slot: le.Uint64(b), typ: uint32(info), sym: uint32(info >> 32)}
			if typ == elf.SHT_RELA {
				r.addend = le.Uint64(b[16:])
			}
		}
		if typ == elf.SHT_REL && r.typ == rIRelative386 {
			var word [4]byte
			if _, err := f.ReadVaddr(word[:], r.slot); err == nil {
				r.addend = uint64(le.Uint32(word[:]))
			}
		}
		yield(r)
	}
}

// target returns the target of the stub at addr: by its slot of the global offset table, or, for the first half of a
// pair (.plt with .plt.sec), by the relocation number that it pushes.
func (s *pltSlots) target(stub []byte, addr uint64) (n uint32, ok bool) {
	b := stub
	wide := s.machine != elf.EM_386
	if wide {
		b = bytes.TrimPrefix(b, []byte{0xf3, 0x0f, 0x1e, 0xfa}) // endbr64
	} else {
		b = bytes.TrimPrefix(b, []byte{0xf3, 0x0f, 0x1e, 0xfb}) // endbr32
	}
	switch { // mold's stubs begin with the number of the relocation
	case len(b) >= 6 && wide && b[0] == 0x41 && b[1] == 0xbb: // mov $n, %r11d
		b = b[6:]
	case len(b) >= 5 && !wide && b[0] == 0xb9: // mov $n, %ecx
		b = b[5:]
	}
	le := binary.LittleEndian
	if len(b) >= 5 && b[0] == 0x68 { // push $n
		i := le.Uint32(b[1:])
		if !wide { // the pushed number is a byte offset here
			if s.relSize == 0 || i%s.relSize != 0 {
				return 0, false
			}
			i /= s.relSize
		}
		if uint64(i) < uint64(len(s.jumps)) {
			return s.jumps[i], true
		}
		return 0, false
	}
	if len(b) >= 7 && wide && b[0] == 0x4c && b[1] == 0x8b && b[2] == 0x1d { // mov slot(%rip), %r11, of a retpoline
		n, ok = s.at[addr+uint64(len(stub)-len(b))+7+uint64(int64(int32(le.Uint32(b[3:]))))]
		return n, ok
	}
	b = bytes.TrimPrefix(b, []byte{0xf2}) // bnd
	if len(b) < 6 || b[0] != 0xff {
		return 0, false
	}
	disp := uint64(int64(int32(le.Uint32(b[2:]))))
	slot := uint64(0)
	switch {
	case b[1] == 0x25 && wide: // jmp *slot(%rip)
		slot = addr + uint64(len(stub)-len(b)) + 6 + disp
	case b[1] == 0x25: // jmp *slot
		slot = uint64(uint32(disp))
	case b[1] == 0xa3 && !wide && s.got != 0: // jmp *slot(%ebx)
		slot = uint64(uint32(s.got + disp))
	default:
		return 0, false
	}
	n, ok = s.at[slot]
	return n, ok
}
