package gopclntab

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"

	"github.com/vmblame/vmblame/internal/elffile"
)

// Words of runtime.moduledata, the same from Go 1.20 to 1.26 (runtime/symtab.go).
const (
	wordFuncnametab = 1
	wordText        = 22
	wordGofunc      = 40
	moduleWords     = 41
)

// moduleData is runtime.moduledata of a Go program. It is found by its first word, the address of the table, because
// a stripped program has no symbol for it.
type moduleData struct {
	f     *elffile.File
	table uint64 // address of the function table
	word  int    // bytes of a word
	words [moduleWords]uint64
	found bool
}

// moduleData looks for the structure, once.
func (t *Table) moduleData() *moduleData {
	if t.module == nil {
		t.module = &moduleData{f: t.f, table: t.start, word: t.ptr}
		t.module.find()
	}
	return t.module
}

// find looks for the structure in the data, or, since a position independent program's data is only filled in at load
// time, among the relocations. (Relocations of i386 keep the addend in the relocated word.)
func (m *moduleData) find() {
	if m.word == 8 && m.f.Type() == elf.ET_DYN {
		m.found = m.findRelocated() || m.findInData()
	} else {
		m.found = m.findInData()
	}
}

// findInData searches the sections of variables for the moduledata, and reports whether it found it.
func (m *moduleData) findInData() bool {
	for _, name := range []string{".go.module", ".noptrdata", ".data", ".data.rel.ro", ".data.rel.ro.go.module"} {
		s, ok := m.f.Section(name)
		if ok && s.Type == elf.SHT_PROGBITS && m.f.Inside(s) && m.scan(s) {
			return true
		}
	}
	return false
}

func (m *moduleData) wordAt(b []byte) uint64 {
	if m.word == 4 {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// scan searches a section for a moduledata, which begins with the table's address, and reports whether it found one.
func (m *moduleData) scan(s elf.SectionHeader) bool {
	buf := make([]byte, 64<<10)
	for off := uint64(0); off < s.FileSize; off += uint64(len(buf)) {
		n, err := m.f.ReadAt(buf[:min(uint64(len(buf)), s.FileSize-off)], int64(s.Offset+off))
		if err != nil && !errors.Is(err, io.EOF) {
			return false
		}
		for i := 0; i+m.word <= n; i += m.word {
			if m.wordAt(buf[i:]) == m.table && m.read(s.Addr+off+uint64(i), nil) {
				return true
			}
		}
	}
	return false
}

// read reads the structure at addr, with relocs applied, and reports whether it is a moduledata.
func (m *moduleData) read(addr uint64, relocs map[uint64]uint64) bool {
	b := make([]byte, m.word*moduleWords)
	if _, err := m.f.ReadVaddr(b, addr); err != nil {
		return false
	}
	for i := range m.words {
		at := i * m.word
		m.words[i] = m.wordAt(b[at:])
		if v, ok := relocs[addr+uint64(at)]; ok {
			m.words[i] = v
		}
	}
	// funcnametab is a slice of the table: its address, its length and an equal capacity.
	name := m.words[wordFuncnametab:]
	return m.words[0] == m.table && name[0] > m.table && name[1] == name[2] && name[1] > 0 && m.words[wordText] != 0
}

// findRelocated searches the relocations for one that writes the table's address into a moduledata, and reports whether
// it found one.
func (m *moduleData) findRelocated() bool {
	for _, name := range []string{".rela.dyn", ".rela"} {
		if s, ok := m.f.Section(name); !ok || s.Type != elf.SHT_RELA {
			continue
		}
		s, err := m.f.OpenSection(name)
		if err != nil {
			continue
		}
		defer s.Close()
		var found []uint64
		eachRelative(s, func(at, to uint64) {
			if to == m.table && len(found) < 16 {
				found = append(found, at)
			}
		})
		for _, addr := range found {
			relocs := make(map[uint64]uint64)
			eachRelative(s, func(at, to uint64) {
				if at >= addr && at-addr < 8*moduleWords {
					relocs[at] = to
				}
			})
			if m.read(addr, relocs) {
				return true
			}
		}
	}
	return false
}

// eachRelative calls f for the relocations of type R_X86_64_RELATIVE.
func eachRelative(s *elffile.Section, f func(at, to uint64)) {
	const relative = 8
	c := s.Cursor(0, s.Size())
	defer c.Done()
	for c.More() {
		at, info, to := c.U64(), c.U64(), c.U64()
		if !c.Bad() && info == relative {
			f(at, to)
		}
	}
}
