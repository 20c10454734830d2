package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"iter"
	"path"
	"strings"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/vm"
)

// Image is an ELF file that is loaded: the rows that are mapped of it, and the file itself.
type Image struct {
	Path string // as maps shows it
	File *elffile.File
	Bias uint64 // address = virtual address of the file + Bias
	Rows vm.Range

	dynamic *elffile.Dynamic // nil before it is asked
	symbols map[string]uint64
	read    map[string]bool // by section
	left    *int64          // of the bytes of symbol tables that all images may have
}

// name is the file's name without directories.
func (m *Image) name() string { return strings.TrimSuffix(path.Base(m.Path), " (deleted)") }

// symbolLimit bounds the bytes of a symbol table that are read.
const symbolLimit = 64 << 20

// symbolTotal bounds the bytes of symbol tables that are read for all images of a process.
const symbolTotal = 512 << 20

// variableLimit bounds the bytes of a segment of variables that are searched.
const variableLimit = 64 << 20

// constantsLimit bounds the bytes of a file's constants that are searched.
const constantsLimit = 256 << 20

// says reports whether a text is among the file's constants, from the file.
func (m *Image) says(text string) bool {
	b, err := m.File.SectionData(".rodata", constantsLimit)
	return err == nil && bytes.Contains(b, []byte(text))
}

// exported returns the address of a defined dynamic symbol, 0 where the file does not have it; a version (@VERSION)
// is not part of the name. Stripped files keep them. Of a file with a hash table for them only what the lookup needs
// is read.
func (m *Image) exported(name string) uint64 {
	if a, ok := m.symbols[name]; ok {
		return a
	}
	if m.read[".dynsym"] {
		return 0
	}
	if m.dynamic == nil {
		m.dynamic = m.File.Dynamic()
	}
	if !m.dynamic.Indexed() {
		m.readSymbols(".dynsym")
		return m.symbols[name]
	}
	at, _ := m.dynamic.Symbol(name)
	if at != 0 {
		at += m.Bias
	}
	if m.symbols == nil {
		m.symbols = map[string]uint64{}
	}
	m.symbols[name] = at
	return at
}

func (m *Image) readSymbols(section string) {
	if m.read == nil {
		m.read = map[string]bool{}
	}
	if m.symbols == nil {
		m.symbols = map[string]uint64{}
	}
	m.read[section] = true
	strs := ".dynstr"
	if section == ".symtab" {
		strs = ".strtab"
	}
	table, err := m.File.SectionData(section, min(symbolLimit, *m.left))
	if err != nil {
		return
	}
	*m.left -= int64(len(table))
	names, err := m.File.SectionData(strs, min(symbolLimit, *m.left))
	if err != nil {
		return
	}
	*m.left -= int64(len(names))
	for ; len(table) >= elf.Sym64Size; table = table[elf.Sym64Size:] {
		typ := elf.ST_TYPE(table[4])
		if typ != elf.STT_OBJECT && typ != elf.STT_NOTYPE && typ != elf.STT_FUNC {
			continue
		}
		at, value := binary.LittleEndian.Uint32(table), binary.LittleEndian.Uint64(table[8:])
		if binary.LittleEndian.Uint16(table[6:]) == 0 || uint64(at) >= uint64(len(names)) || value == 0 {
			continue
		}
		name := names[at:]
		if i := strings.IndexByte(string(name[:min(len(name), 512)]), 0); i > 0 {
			if m.symbols[string(name[:i])] == 0 {
				m.symbols[string(name[:i])] = value + m.Bias
			}
		}
	}
}

// variables yields the words of the image's variables, as far as they are in memory, with their places.
func (l *look) variables(m *Image) iter.Seq2[uint64, uint64] {
	return func(yield func(addr, word uint64) bool) {
		for _, p := range m.loads() {
			if p.Flags&elf.PF_W == 0 || p.Memsz > variableLimit {
				continue
			}
			for at, w := range l.scan(vm.Range{Start: vm.PageDown(p.Vaddr + m.Bias), End: vm.PageUp(p.Vaddr + p.Memsz + m.Bias)}) {
				if !yield(at, w) {
					return
				}
			}
		}
	}
}

// pairs yields the variables of the image that stand side by side, neither of them 0: the place of the first, and both.
func (l *look) pairs(m *Image) iter.Seq2[uint64, [2]uint64] {
	return func(yield func(addr uint64, words [2]uint64) bool) {
		var last, before uint64
		for at, w := range l.variables(m) {
			if at == last+8 && !yield(last, [2]uint64{before, w}) {
				return
			}
			last, before = at, w
		}
	}
}

// loads returns the loaded segments of the file, ascending. Segments that overlap earlier ones or wrap around are left
// out.
func (m *Image) loads() (list []elf.ProgHeader) {
	end := uint64(0)
	for _, p := range m.File.Progs() {
		start := vm.PageDown(p.Vaddr)
		if stop := p.Vaddr + p.Memsz; p.Type == elf.PT_LOAD && p.Memsz > 0 && p.Filesz <= p.Memsz && start >= end && stop > p.Vaddr &&
			p.Vaddr+m.Bias < vm.AddressMax && p.Memsz < vm.AddressMax {
			list = append(list, p)
			end = stop
		}
	}
	return list
}

// variablesOf yields what variables yields, for every image for which is holds.
func (l *look) variablesOf(is func(*Image) bool) iter.Seq2[uint64, uint64] {
	return func(yield func(addr, word uint64) bool) {
		for _, m := range l.images {
			if !is(m) {
				continue
			}
			for at, w := range l.variables(m) {
				if !yield(at, w) {
					return
				}
			}
		}
	}
}

// constant reads a word of size bytes of the file's constants at an address of the process, from the file.
func (m *Image) constant(addr uint64, size int) (uint64, bool) {
	var b [8]byte
	if addr < m.Bias {
		return 0, false
	}
	n, err := m.File.ReadVaddr(b[:size], addr-m.Bias)
	return binary.LittleEndian.Uint64(b[:]), err == nil && n == size
}
