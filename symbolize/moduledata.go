package symbolize

import (
	"debug/elf"
	"encoding/binary"
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

// moduleData finds runtime.moduledata of a Go program by its first word, the address of the pclntab: where
// the program is stripped no symbol says where it is.
type moduleData struct {
	f       *elffile.File
	pclntab uint64
	words   [moduleWords]uint64
}

func (m *moduleData) word(i int) uint64 { return m.words[i] }

func (m *moduleData) find() bool {
	for _, name := range []string{".go.module", ".noptrdata", ".data", ".data.rel.ro", ".data.rel.ro.go.module"} {
		sh, ok := m.f.Section(name)
		if !ok || sh.Type != elf.SHT_PROGBITS || !inside(m.f, sh) {
			continue
		}
		if m.scan(sh) {
			return true
		}
	}
	return m.findRelocated()
}

// size is the bytes of a word of the program's.
func (m *moduleData) size() int {
	if m.f.Class() == elf.ELFCLASS32 {
		return 4
	}
	return 8
}

func (m *moduleData) wordAt(b []byte) uint64 {
	if m.size() == 4 {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

// scan looks for the address in a section.
func (m *moduleData) scan(sh elf.SectionHeader) bool {
	buf := make([]byte, 64<<10)
	for off := uint64(0); off < sh.FileSize; off += uint64(len(buf)) {
		n, err := m.f.ReadAt(buf[:min(uint64(len(buf)), sh.FileSize-off)], int64(sh.Offset+off))
		if err != nil && err != io.EOF {
			return false
		}
		for i := 0; i+m.size() <= n; i += m.size() {
			if m.wordAt(buf[i:]) == m.pclntab && m.read(sh.Addr+off+uint64(i), nil) {
				return true
			}
		}
	}
	return false
}

// read reads the structure at addr, with what relocations put there, and says whether it is one.
func (m *moduleData) read(addr uint64, relocs map[uint64]uint64) bool {
	b := make([]byte, m.size()*moduleWords)
	if _, err := m.f.ReadVaddr(b, addr); err != nil {
		return false
	}
	for i := range m.words {
		at := i * m.size()
		m.words[i] = m.wordAt(b[at:])
		if v, ok := relocs[addr+uint64(at)]; ok {
			m.words[i] = v
		}
	}
	// funcnametab is a slice of the table: its address, its length and an equal capacity.
	name := m.words[wordFuncnametab:]
	return m.words[0] == m.pclntab && name[0] > m.pclntab && name[1] == name[2] && name[1] > 0 &&
		m.words[wordText] != 0
}

// findRelocated looks for the address among the relocations of a position-independent program, whose data
// is written when it is loaded. (Relocations of i386 keep what they add to where they stand, so scan finds it.)
func (m *moduleData) findRelocated() bool {
	const relative = 8 // R_X86_64_RELATIVE
	if m.size() != 8 {
		return false
	}
	for _, name := range []string{".rela.dyn", ".rela"} {
		sh, ok := m.f.Section(name)
		if !ok || sh.Type != elf.SHT_RELA || !inside(m.f, sh) {
			continue
		}
		each := func(f func(at, to uint64)) {
			c := cursorAt(&section{r: m.f, base: int64(sh.Offset), size: int64(sh.FileSize)}, 0, int64(sh.FileSize))
			for c.more() {
				at, info, to := c.u64(), c.u64(), c.u64()
				if !c.bad && info == relative {
					f(at, to)
				}
			}
		}
		var found []uint64
		each(func(at, to uint64) {
			if to == m.pclntab && len(found) < 16 {
				found = append(found, at)
			}
		})
		for _, addr := range found {
			relocs := make(map[uint64]uint64)
			each(func(at, to uint64) {
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
