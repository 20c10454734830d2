package symbolize

import "github.com/vmblame/vmblame/internal/elffile"

const (
	// fuelPerBatch bounds the work of one call of answer, in entries read, beside what reading all of a
	// large file takes; what a hostile file makes of more is left unnamed.
	fuelPerBatch = 100 << 20
	// maxCached is how many spans and units are kept before the caches are dropped.
	maxCached = 64 << 10
)

// fuel is the work that may still be done.
type fuel struct{ left int }

func (f *fuel) burn(n int) bool {
	f.left -= n
	return f.left >= 0
}

// fuelForBatch is the work that one call of answer may make: an entry of .debug_info or an instruction of
// .debug_line has a byte at least, and addresses in all units have both read.
func (f *dwarfFile) fuelForBatch() int {
	var n int64
	for _, name := range []string{"info", "line"} {
		if s := f.section(name); s != nil {
			n += s.size
		}
	}
	return fuelFor(n, f.size)
}

// fuelFor is the work for so many bytes of sections in a file of that size: what a small file claims to become
// when inflated does not count.
func fuelFor(sections, file int64) int {
	const inflated = 16 // real sections become 10 times as large
	return fuelPerBatch + int(min(sections, inflated*file))
}

// A dwarfFile is the debugging information of one file, read piece by piece.
type dwarfFile struct {
	elf    *elffile.File
	size   int64  // of elf
	suffix string // ".dwo" for split debugging information
	fuel   *fuel
	dirs   []string // where supplementary files are looked for
	exec   code

	sections    map[string]*section
	units       map[int64]*unit // by position of the header
	abbrevs     map[uint64]*abbrevs
	cached      int
	unitHeaders []unitHeader
	headersRead bool

	alt      *dwarfFile
	altTried bool
	splits   splitFiles
}

func newDwarfFile(f *elffile.File, suffix string, fuel *fuel) *dwarfFile {
	d := &dwarfFile{elf: f, suffix: suffix, fuel: fuel, sections: make(map[string]*section),
		units: make(map[int64]*unit), abbrevs: make(map[uint64]*abbrevs)}
	if f != nil {
		d.size = f.Size()
	}
	return d
}

// section returns .debug_NAME, nil if the file has none that can be read.
func (f *dwarfFile) section(name string) *section {
	s, ok := f.sections[name]
	if !ok {
		s, _ = openSection(f.elf, ".debug_"+name+f.suffix)
		f.sections[name] = s
	}
	return s
}

func (f *dwarfFile) abbrevTable(off uint64) *abbrevs {
	a, ok := f.abbrevs[off]
	if !ok {
		a = readAbbrevs(f.section("abbrev"), off, f.fuel)
		if a != nil {
			f.cached += a.weight
		}
		f.abbrevs[off] = a
	}
	return a
}

// trim drops what is kept of units where that has become much. No unit may be in use.
func (f *dwarfFile) trim() {
	for _, s := range f.splits.files {
		s.trim()
	}
	if len(f.splits.files) > maxSplitFiles {
		f.splits.close()
		clear(f.units)
	}
	if f.cached+64*len(f.units) > maxCached {
		clear(f.units)
		clear(f.abbrevs)
		f.cached = 0
	}
	if f.alt != nil {
		f.alt.trim()
	}
}

func (f *dwarfFile) close() {
	for _, s := range f.sections {
		if s != nil {
			s.close()
		}
	}
	if f.alt != nil {
		f.alt.close()
		f.alt.elf.Close()
	}
	f.splits.close()
}
