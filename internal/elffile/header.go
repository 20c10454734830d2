package elffile

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A layout is how files of one class write their headers (gABI, "ELF Header", "Section Header", "Program
// Header"): the sizes, and what is where.
type layout struct {
	class            elf.Class
	ehdr, phdr, shdr uint64 // sizes in bytes
	word             int    // bytes of an address, an offset or a size
	counts           int    // in the file header, of e_phentsize and the four halves after it
	prog             func(b []byte) elf.ProgHeader
	section          func(b []byte) elf.SectionHeader
}

func layoutOf(c elf.Class) *layout {
	switch c {
	case elf.ELFCLASS64:
		return &layout{class: c, ehdr: 64, phdr: 56, shdr: 64, word: 8, counts: 54, prog: prog64, section: section64}
	case elf.ELFCLASS32:
		return &layout{class: c, ehdr: 52, phdr: 32, shdr: 40, word: 4, counts: 42, prog: prog32, section: section32}
	}
	return nil
}

// address reads word i of those that begin at b.
func (l *layout) address(b []byte, i int) uint64 {
	if l.word == 8 {
		return binary.LittleEndian.Uint64(b[8*i:])
	}
	return uint64(binary.LittleEndian.Uint32(b[4*i:]))
}

func prog64(b []byte) elf.ProgHeader {
	le := binary.LittleEndian
	return elf.ProgHeader{
		Type: elf.ProgType(le.Uint32(b)), Flags: elf.ProgFlag(le.Uint32(b[4:])),
		Off: le.Uint64(b[8:]), Vaddr: le.Uint64(b[16:]), Paddr: le.Uint64(b[24:]),
		Filesz: le.Uint64(b[32:]), Memsz: le.Uint64(b[40:]), Align: le.Uint64(b[48:]),
	}
}

func prog32(b []byte) elf.ProgHeader {
	le := binary.LittleEndian
	word := func(at int) uint64 { return uint64(le.Uint32(b[at:])) }
	return elf.ProgHeader{
		Type: elf.ProgType(le.Uint32(b)), Flags: elf.ProgFlag(le.Uint32(b[24:])),
		Off: word(4), Vaddr: word(8), Paddr: word(12), Filesz: word(16), Memsz: word(20), Align: word(28),
	}
}

// section64 and section32 read all of a section header but its name.
func section64(b []byte) elf.SectionHeader {
	le := binary.LittleEndian
	return elf.SectionHeader{
		Type: elf.SectionType(le.Uint32(b[4:])), Flags: elf.SectionFlag(le.Uint64(b[8:])),
		Addr: le.Uint64(b[16:]), Offset: le.Uint64(b[24:]), Size: le.Uint64(b[32:]), FileSize: le.Uint64(b[32:]),
		Link: le.Uint32(b[40:]), Info: le.Uint32(b[44:]), Addralign: le.Uint64(b[48:]), Entsize: le.Uint64(b[56:]),
	}
}

func section32(b []byte) elf.SectionHeader {
	le := binary.LittleEndian
	word := func(at int) uint64 { return uint64(le.Uint32(b[at:])) }
	return elf.SectionHeader{
		Type: elf.SectionType(le.Uint32(b[4:])), Flags: elf.SectionFlag(le.Uint32(b[8:])),
		Addr: word(12), Offset: word(16), Size: word(20), FileSize: word(20),
		Link: le.Uint32(b[24:]), Info: le.Uint32(b[28:]), Addralign: word(32), Entsize: word(36),
	}
}

func (f *File) readHeader() error {
	var h [64]byte
	n, err := readFull(f.r, h[:], 0)
	if n < 20 || string(h[:4]) != elf.ELFMAG {
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%s: read the ELF header: %w", f.name, err)
		}
		return fmt.Errorf("%s: %w", f.name, ErrNotELF)
	}
	le := binary.LittleEndian
	class, data := elf.Class(h[elf.EI_CLASS]), elf.Data(h[elf.EI_DATA])
	f.machine = elf.Machine(le.Uint16(h[18:]))
	if data == elf.ELFDATA2MSB {
		f.machine = elf.Machine(binary.BigEndian.Uint16(h[18:]))
	}
	f.layout = layoutOf(class)
	runs := f.machine == elf.EM_X86_64 || f.machine == elf.EM_386 && class == elf.ELFCLASS32
	if f.layout == nil || data != elf.ELFDATA2LSB || !runs {
		return &MachineError{f.name, class, data, f.machine}
	}
	if uint64(n) < f.layout.ehdr {
		return fmt.Errorf("%s: %w: the header is cut", f.name, ErrNotELF)
	}
	f.typ = elf.Type(le.Uint16(h[16:]))
	f.entry = f.layout.address(h[24:], 0)
	f.phoff = f.layout.address(h[24:], 1)
	f.shoff = f.layout.address(h[24:], 2)
	counts := h[f.layout.counts:]
	phentsize, phnum := le.Uint16(counts), uint64(le.Uint16(counts[2:]))
	shentsize := le.Uint16(counts[4:])
	f.shnum, f.shstrndx = uint64(le.Uint16(counts[6:])), uint64(le.Uint16(counts[8:]))
	if uint64(shentsize) != f.layout.shdr {
		f.shoff = 0
	}
	if f.shoff == 0 {
		f.shnum = 0
	} else if f.shnum == 0 || f.shstrndx == uint64(elf.SHN_XINDEX) || phnum == 0xffff {
		// The gABI keeps counts that do not fit into 16 bits in the first section header.
		b := make([]byte, f.layout.shdr)
		if f.readAt(b, f.shoff) == nil {
			s := f.layout.section(b)
			if f.shnum == 0 {
				f.shnum = s.Size
			}
			if f.shstrndx == uint64(elf.SHN_XINDEX) {
				f.shstrndx = uint64(s.Link)
			}
			if phnum == 0xffff {
				phnum = uint64(s.Info)
			}
		}
	}
	if phnum == 0 {
		return nil
	}
	if uint64(phentsize) != f.layout.phdr || phnum > maxProgs {
		return fmt.Errorf("%s: %w: %d program headers of %d bytes", f.name, ErrNotELF, phnum, phentsize)
	}
	b := make([]byte, phnum*f.layout.phdr)
	if err := f.readAt(b, f.phoff); err != nil {
		return fmt.Errorf("%s: read the program headers: %w", f.name, err)
	}
	f.progs = make([]elf.ProgHeader, phnum)
	for i := range f.progs {
		f.progs[i] = f.layout.prog(b[uint64(i)*f.layout.phdr:])
	}
	return nil
}

// Sum returns a hash of the file's size and of all its headers, that is, of where its parts are and how long they are. Two files with the same build id
// but different sums are not the same: one may have been stripped.
func (f *File) Sum() [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintln(h, f.size)
	for _, part := range [][2]uint64{{0, f.layout.ehdr}, {f.phoff, uint64(len(f.progs)) * f.layout.phdr}, {f.shoff, min(f.shnum, maxSections) * f.layout.shdr}} {
		_, _ = io.Copy(h, io.NewSectionReader(f.r, int64(part[0]), int64(part[1])))
	}
	return [sha256.Size]byte(h.Sum(nil))
}
