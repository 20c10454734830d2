package symbolize

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/vmblame/vmblame/internal/elffile"
)

const (
	maxSymbols = 4 << 20 // of all tables of one file; 24 bytes of memory each
	maxAliases = 16      // of one address
)

// names returns a symbol's name by the number in its entry.
type names interface{ At(n uint32) string }

// A table is a symbol table: its Symbol.Source and its names.
type table struct {
	source   string
	names    names
	sections []elf.SectionHeader
}

// An entry is one symbol in code. Its name is read from the file when asked for.
type entry struct {
	value uint64
	size  uint32 // saturated; 0 where the symbol has none
	name  uint32
	unit  uint32 // the name of the source file that a local symbol is of, 0 for none
	shndx uint16 // section index; bounds a symbol without a size
	table uint8
	info  uint8 // st_info
}

func (e *entry) typ() elf.SymType  { return elf.ST_TYPE(e.info) }
func (e *entry) bind() elf.SymBind { return elf.ST_BIND(e.info) }
func (e *entry) end() uint64       { return e.value + uint64(e.size) }

// names reports whether the symbol's type can name code; other symbols only bound their neighbours.
func (e *entry) names() bool {
	switch e.typ() {
	case elf.STT_FUNC, elf.STT_GNU_IFUNC, elf.STT_NOTYPE:
		return true
	}
	return false
}

const blockSize = 64

// symbols are the entries of all symbol tables of one image, sorted by value.
type symbols struct {
	tables   []table
	entries  []entry
	blockEnd []uint64        // the greatest end of the entries in and before each block of blockSize
	only     map[uint64]bool // where set: no entries but those with these values
}

// add reads a symbol table (section, with the strings it links to) of f.
func (s *symbols) add(f *elffile.File, section, source string, exec elffile.Code) {
	sh, ok := f.Section(section)
	if !ok || sh.Type == elf.SHT_NOBITS || sh.Flags&elf.SHF_COMPRESSED != 0 || len(s.tables) > math.MaxUint8 {
		return
	}
	sections, err := f.Sections()
	if err != nil || int(sh.Link) >= len(sections) {
		return
	}
	str := sections[sh.Link]
	if str.Type != elf.SHT_STRTAB || !f.Inside(sh) || !f.Inside(str) {
		return
	}
	t := uint8(len(s.tables))
	s.tables = append(s.tables, table{source: source, sections: sections,
		names: f.Strings(str)})
	s.sort() // so that symbols of an earlier table are not kept twice
	earlier := s.entries
	fresh := func(e *entry) bool {
		return (s.only == nil || s.only[e.value]) && e.inCode(exec) && !holds(earlier, e)
	}
	n := 0
	eachSymbol(f, sh, func(e entry) {
		if fresh(&e) {
			n++
		}
	})
	if n == 0 {
		return
	}
	s.entries = slices.Grow(slices.Clip(s.entries), min(n, maxSymbols-len(s.entries)))
	eachSymbol(f, sh, func(e entry) {
		if fresh(&e) && len(s.entries) < maxSymbols {
			e.table = t
			s.entries = append(s.entries, e)
		}
	})
}

// holds reports whether the sorted entries include one with the same address, size, type and binding.
func holds(entries []entry, e *entry) bool {
	i := sort.Search(len(entries), func(i int) bool { return entries[i].value >= e.value })
	for last := i + maxAliases; i < min(last, len(entries)) && entries[i].value == e.value; i++ {
		if entries[i].size == e.size && entries[i].info == e.info {
			return true
		}
	}
	return false
}

// eachSymbol calls yield for the symbols of a table in the file's order. The local symbols of a source file follow a symbol with the file's name.
// Symbols that the linker made local, because they are hidden, belong to no file: they may be anywhere, and are marked.
func eachSymbol(f *elffile.File, sh elf.SectionHeader, yield func(entry)) {
	size, read := symbolForm(f)
	buf := make([]byte, 1024*size)
	unit := uint32(0)
	for left, off := int64(sh.FileSize), int64(sh.Offset); left >= int64(size); {
		b := buf[:min(left/int64(size)*int64(size), int64(len(buf)))]
		if _, err := f.ReadAt(b, off); err != nil && !errors.Is(err, io.EOF) {
			return
		}
		left -= int64(len(b))
		off += int64(len(b))
		for ; len(b) >= size; b = b[size:] {
			e, other := read(b)
			if e.typ() == elf.STT_FILE {
				unit = e.name
			} else if e.bind() == elf.STB_LOCAL && elf.ST_VISIBILITY(other) == elf.STV_DEFAULT {
				e.unit = unit
			}
			yield(e)
		}
	}
}

// symbolForm says the size of the file's symbols in bytes, and how they are read, with their st_other: Elf64_Sym or Elf32_Sym.
func symbolForm(f *elffile.File) (size int, read func([]byte) (e entry, other uint8)) {
	le := binary.LittleEndian
	if f.Class() == elf.ELFCLASS32 {
		return 16, func(b []byte) (entry, uint8) {
			return entry{name: le.Uint32(b), info: b[12], shndx: le.Uint16(b[14:]), value: uint64(le.Uint32(b[4:])),
				size: le.Uint32(b[8:])}, b[13]
		}
	}
	return 24, func(b []byte) (entry, uint8) {
		return entry{name: le.Uint32(b), info: b[4], shndx: le.Uint16(b[6:]), value: le.Uint64(b[8:]),
			size: uint32(min(le.Uint64(b[16:]), math.MaxUint32))}, b[5]
	}
}

// inCode reports whether the entry is a defined symbol in the file's code.
func (e *entry) inCode(exec elffile.Code) bool {
	if e.name == 0 || e.shndx == uint16(elf.SHN_UNDEF) || e.shndx == uint16(elf.SHN_ABS) {
		return false
	}
	switch e.typ() {
	case elf.STT_SECTION, elf.STT_FILE, elf.STT_TLS, elf.STT_COMMON:
		return false
	}
	return exec.Holds(e.value) && e.end() >= e.value
}

// index makes the entries ready for lookups.
func (s *symbols) index() {
	s.sort()
	s.entries = slices.Clip(s.entries)
	s.blockEnd = make([]uint64, (len(s.entries)+blockSize-1)/blockSize)
	var end uint64
	for i := range s.entries {
		if s.entries[i].names() {
			end = max(end, s.entries[i].end())
		}
		s.blockEnd[i/blockSize] = end
	}
}

func (s *symbols) sort() {
	slices.SortFunc(s.entries, func(a, b entry) int {
		if a.value != b.value { // the usual case; cmp.Or would evaluate all comparisons first
			return cmp.Compare(a.value, b.value)
		}
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.name, b.name))
	})
}

// upTo returns the index of the first entry that begins after addr.
func (s *symbols) upTo(addr uint64) int {
	return sort.Search(len(s.entries), func(i int) bool { return s.entries[i].value > addr })
}

// sized returns the symbol whose own size covers addr: the one that starts last, of several the best by better.
func (s *symbols) sized(addr uint64) *entry {
	var best *entry
	for i := s.upTo(addr) - 1; i >= 0; i-- {
		e := &s.entries[i]
		if best != nil && e.value != best.value {
			break
		}
		if s.blockEnd[i/blockSize] <= addr {
			break
		}
		if e.names() && e.end() > addr && (best == nil || s.better(e, best)) {
			best = e
		}
	}
	return best
}

// unsized returns the closest symbol without a size before addr, in the same section and with no start or end of
// another symbol between them; the caller bounds it further.
func (s *symbols) unsized(addr uint64) *entry {
	last := s.upTo(addr) - 1
	if last < 0 {
		return nil
	}
	var best *entry
	value := s.entries[last].value
	for i := last; i >= 0 && s.entries[i].value == value; i-- {
		e := &s.entries[i]
		if e.size != 0 && e.end() <= addr {
			return nil
		}
		if e.size == 0 && e.names() && s.inSection(e, addr) && (best == nil || s.better(e, best)) {
			best = e
		}
	}
	if best != nil && value != addr && s.sized(value) != nil {
		return nil // a label in a function that ends before addr
	}
	return best
}

// inSection reports whether e and addr both lie in the section that e is defined in.
func (s *symbols) inSection(e *entry, addr uint64) bool {
	sections := s.tables[e.table].sections
	if int(e.shndx) >= len(sections) {
		return false
	}
	sh := &sections[e.shndx]
	size := max(sh.Size, sh.FileSize)
	return sh.Flags&elf.SHF_EXECINSTR != 0 && e.value >= sh.Addr && addr-sh.Addr < size && e.value <= addr
}

// better reports whether a is a better name than b, which starts at the same address: a function before a symbol of
// no type, global before local before weak, without leading "__", then the shorter.
func (s *symbols) better(a, b *entry) bool {
	if x, y := a.typ() == elf.STT_NOTYPE, b.typ() == elf.STT_NOTYPE; x != y {
		return y
	}
	if x, y := bindRank(a.bind()), bindRank(b.bind()); x != y {
		return x < y
	}
	an, bn := s.name(a), s.name(b)
	if x, y := strings.HasPrefix(an, "__"), strings.HasPrefix(bn, "__"); x != y {
		return y
	}
	if len(an) != len(bn) {
		return len(an) < len(bn)
	}
	if an != bn {
		return an < bn
	}
	return a.table < b.table
}

func bindRank(b elf.SymBind) int {
	switch b {
	case elf.STB_LOCAL:
		return 1
	case elf.STB_WEAK:
		return 2
	}
	return 0
}

// unitOf is the source file that a local symbol is of, by the file's own table of symbols, "" for none.
func (s *symbols) unitOf(e *entry) string {
	if t := &s.tables[e.table]; e.unit != 0 && t.source == sourceSymtab {
		return t.names.At(e.unit)
	}
	return ""
}

// name is the symbol's name without its version.
func (s *symbols) name(e *entry) string {
	name := s.tables[e.table].names.At(e.name)
	if i := strings.IndexByte(name, '@'); i > 0 && s.tables[e.table].source != sourcePLT {
		name = name[:i]
	}
	return name
}
