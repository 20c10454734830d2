package debuginfo

import "github.com/vmblame/vmblame/internal/elffile"

// maxCached is how many spans and units are kept before the caches are dropped.
const maxCached = 64 << 10

// A file is the debugging information of one file, read piece by piece.
type file struct {
	elf    *elffile.File
	size   int64  // of elf
	suffix string // ".dwo" for split debugging information
	budget *budget
	dirs   []string // where supplementary files are looked for
	exec   elffile.Code

	sections    map[string]*elffile.Section
	units       map[int64]*unit // by position of the header
	abbrevs     map[uint64]*abbrevs
	cached      int
	unitHeaders []unitHeader
	headersRead bool

	alt      *file
	altTried bool
	splits   splitFiles
	split    bool // a unit refers to a split file
}

func newFile(f *elffile.File, suffix string, budget *budget) *file {
	d := &file{elf: f, suffix: suffix, budget: budget, sections: make(map[string]*elffile.Section),
		units: make(map[int64]*unit), abbrevs: make(map[uint64]*abbrevs)}
	if f != nil {
		d.size = f.Size()
	}
	return d
}

// section returns .debug_NAME, nil if the file has none that can be read.
func (f *file) section(name string) *elffile.Section {
	s, ok := f.sections[name]
	if !ok {
		s, _ = f.elf.OpenSection(".debug_" + name + f.suffix)
		f.sections[name] = s
	}
	return s
}

func (f *file) abbrevTable(off uint64) *abbrevs {
	a, ok := f.abbrevs[off]
	if !ok {
		a = readAbbrevs(f.section("abbrev"), off, f.budget)
		if a != nil {
			f.cached += a.weight
		}
		f.abbrevs[off] = a
	}
	return a
}

// trim empties the caches of units and abbreviations if they have grown too large. No unit may be in use.
func (f *file) trim() {
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

func (f *file) close() {
	for _, s := range f.sections {
		if s != nil {
			s.Close()
		}
	}
	if f.alt != nil {
		f.alt.close()
		f.alt.elf.Close()
	}
	f.splits.close()
}
