package inspect

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"sort"
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/vm"
)

// Thread is a task of the process.
type Thread struct {
	TID    int
	Name   string
	FSBase uint64 // the thread pointer, 0 where it is not known
	SP     uint64 // the stack pointer, 0 where it is not known
}

// Process is what a look begins with.
type Process struct {
	PID     int
	Rows    []vm.SmapsEntry // ascending, as the kernel keeps them apart; figures are not needed
	Threads []Thread
	Memory  Memory
	// Open opens the file that a row maps, or says why it cannot; nil opens none. It is asked once a file. Look
	// closes what it opened.
	Open func(row *vm.Mapping) (*elffile.File, error)
}

// look is one look at a process, on its way through the readers.
type look struct {
	*Process
	*reader
	findings
	images   []*Image
	opened   []*elffile.File
	segments []segment // of the images, ascending
	threads  map[int]string
	notELF   map[fileID]bool // files with executable rows that are no ELF files
}

// segment is where an image has a part of itself.
type segment struct {
	vm.Range
	of *Image
}

// A source is one thing that memory tells of; readers run in the order of their list, and what an earlier one
// has claimed stays claimed.
var sources = [...]struct {
	name string // for tests and benchmarks
	find func(*look)
}{
	{"ELF images", findImages},
	{"AddressSanitizer", findSanitizer},
	{"glibc threads", findGlibcThreads},
	{"musl threads", findMuslThreads},
	{"threads by their control blocks", findControlBlocks},
	{"musl's malloc", findMusl},
	{"HotSpot", findHotSpot},
	{"Go", findGo},
	{"CPython", findCPython},
	{"CPython's frames", findPyFrames},
	{"PostgreSQL", findPostgres},
	{"InnoDB", findInnoDB},
	{"SBCL", findSBCL},
	{"BEAM", findBEAM},
	{"bdwgc", findBDWGC},
	{"LuaJIT", findLuaJIT},
	{"CRuby", findRuby},
	{"PHP", findPHP},
	{"mimalloc", findMimalloc},
	// Those that search: what others have claimed is left out.
	{"glibc arenas", findArenas},
	{"jemalloc", findJemalloc},
	{"V8", findV8},
	{"the dynamic loader", findLoader},
	{"glibc large chunks", findLarge}, // beside what others have claimed
}

// Look says what the memory of p is, as far as memory itself tells, in the order of addresses.
func Look(p *Process) []classify.Finding { return lookWithin(p, usual) }

func lookWithin(p *Process, left limits) []classify.Finding {
	if len(p.Rows) == 0 {
		return nil
	}
	l := &look{Process: p, reader: newReader(p.Memory, p.Rows[len(p.Rows)-1].End, left)}
	l.threads = map[int]string{}
	for i := range p.Threads {
		l.threads[p.Threads[i].TID] = p.Threads[i].Name
	}
	l.openImages()
	for _, s := range sources {
		s.find(l)
	}
	for _, f := range l.opened {
		f.Close()
	}
	slices.SortFunc(l.list, func(a, b classify.Finding) int {
		if a.Parts[0].Start < b.Parts[0].Start {
			return -1
		}
		return 1
	})
	return l.list
}

// row returns the row that contains addr, nil for none.
func (p *Process) row(addr uint64) *vm.SmapsEntry {
	i, found := slices.BinarySearchFunc(p.Rows, addr, func(e vm.SmapsEntry, a uint64) int {
		switch {
		case e.End <= a:
			return -1
		case e.Start > a:
			return 1
		}
		return 0
	})
	if !found {
		return nil
	}
	return &p.Rows[i]
}

// firstRow returns the row that contains addr or else the next one, nil for none.
func (p *Process) firstRow(addr uint64) *vm.SmapsEntry {
	i := sort.Search(len(p.Rows), func(i int) bool { return p.Rows[i].End > addr })
	if i == len(p.Rows) {
		return nil
	}
	return &p.Rows[i]
}

// multiples yields the multiples of step in the row that nobody has claimed and of which the page is in memory.
func (l *look) multiples(e *vm.SmapsEntry, step uint64) func(yield func(uint64) bool) {
	return func(yield func(uint64) bool) {
		if first := (e.Start + step - 1) &^ (step - 1); first >= e.End || first < e.Start || e.Len() > l.left.searched {
			return
		}
		l.left.searched -= e.Len()
		for _, free := range l.claims.free(e.Range) {
			for res := range l.Memory.Resident(free) {
				for at := (res.Start + step - 1) &^ (step - 1); at >= step && at < res.End; at += step {
					if l.spent() || !yield(at) {
						return
					}
				}
			}
		}
	}
}

// scan yields the words of r other than 0, as far as they are in memory, with their places.
func (l *look) scan(r vm.Range) iter.Seq2[uint64, uint64] {
	return func(yield func(addr, word uint64) bool) {
		for res := range l.Memory.Resident(r) {
			for at := res.Start; at < res.End; at += vm.PageSize {
				p := l.page(at)
				if l.spent() {
					return
				}
				for off := 0; p != nil && off < vm.PageSize; off += 8 {
					if w := binary.LittleEndian.Uint64(p[off:]); w != 0 && !yield(at+uint64(off), w) {
						return
					}
				}
			}
		}
	}
}

// within yields the rows of r, each with what of r it has, up to the first byte that is not mapped.
func (l *look) within(r vm.Range) func(yield func(*vm.SmapsEntry, vm.Range) bool) {
	return func(yield func(*vm.SmapsEntry, vm.Range) bool) {
		i := sort.Search(len(l.Rows), func(i int) bool { return l.Rows[i].End > r.Start })
		for at := r.Start; at < r.End && i < len(l.Rows); i++ {
			e := &l.Rows[i]
			if l.left.visits--; e.Start > at || l.left.visits < 0 || !yield(e, e.Intersect(vm.Range{Start: at, End: r.End})) {
				return
			}
			at = e.End
		}
	}
}

// covered reports whether every byte of r is mapped by rows for which ok holds.
func (l *look) covered(r vm.Range, ok func(*vm.SmapsEntry) bool) bool {
	at := r.Start
	for e, x := range l.within(r) {
		if !ok(e) {
			return false
		}
		at = x.End
	}
	return r.Start < r.End && at == r.End
}

// partsOf returns r by its rows, nil where not all of it is mapped.
func (l *look) partsOf(r vm.Range) (parts []classify.Part) {
	at := r.Start
	for _, x := range l.within(r) {
		parts = append(parts, classify.Part{Range: x})
		at = x.End
	}
	if at != r.End {
		return nil
	}
	return parts
}

// anonymous reports whether a row is private memory of no file.
func anonymous(e *vm.SmapsEntry) bool { return e.Perms&vm.Shared == 0 && !e.File.Backed() }

// private reports whether a row is memory that a program could have mapped for its data: anonymous, writable.
func private(e *vm.SmapsEntry) bool { return anonymous(e) && e.Perms&vm.Write != 0 }

// flagged reports whether a row has a flag of smaps ("nr", "dc"), as far as the kernel tells.
func flagged(e *vm.SmapsEntry, flag string) bool {
	for f := range strings.FieldsSeq(e.VmFlags) {
		if f == flag {
			return true
		}
	}
	return false
}

// aligned reports whether v is a multiple of a page.
func aligned(v uint64) bool { return v%vm.PageSize == 0 }

// fileID is a file, whatever it is called.
type fileID struct {
	dev   vm.Dev
	inode uint64
}

// openImages finds the ELF files that are loaded: a file of which a row can be executed, with all rows that have
// the same place in it.
func (l *look) openImages() {
	if l.Open == nil {
		return
	}
	type place struct {
		file *elffile.File
		bias uint64
	}
	loaded := map[place]*Image{}
	left := int64(symbolTotal)
	files := map[fileID]*elffile.File{}
	code := map[fileID]bool{}
	of := func(e *vm.SmapsEntry) fileID { return fileID{e.File.Dev, e.File.Inode} }
	l.notELF = map[fileID]bool{}
	for i := range l.Rows {
		if e := &l.Rows[i]; e.File.Inode != 0 && e.Perms&vm.Exec != 0 && e.Perms&vm.Shared == 0 {
			code[of(e)] = true
		}
	}
	for i := range l.Rows {
		e := &l.Rows[i]
		k := of(e)
		if e.File.Inode == 0 || !code[k] {
			continue
		}
		f, seen := files[k]
		if !seen {
			var err error
			f, err = l.Open(&e.Mapping)
			if errors.Is(err, elffile.ErrNotELF) {
				l.notELF[k] = true
			}
			if f != nil {
				l.opened = append(l.opened, f)
				if f.Class() != elf.ELFCLASS64 {
					f = nil
				}
			}
			files[k] = f
		}
		if f == nil {
			continue
		}
		bias, ok := biasOf(f, &e.Mapping)
		if !ok {
			continue
		}
		m := loaded[place{f, bias}]
		if m == nil {
			m = &Image{Path: e.File.Path, File: f, Bias: bias, Rows: e.Range, left: &left}
			loaded[place{f, bias}] = m
			l.images = append(l.images, m)
		}
		m.Rows.End = e.End
	}
	l.images = slices.DeleteFunc(l.images, func(m *Image) bool { return !l.whole(m) })
	for _, m := range l.images {
		for _, p := range m.loads() {
			l.segments = append(l.segments, segment{vm.Range{Start: p.Vaddr + m.Bias, End: p.Vaddr + m.Bias + p.Memsz}, m})
		}
	}
	slices.SortFunc(l.segments, func(a, b segment) int { return cmp.Compare(a.Start, b.Start) })
}

// whole reports whether the file is mapped from its beginning, and no other file stands where a segment of it should. A
// part of a file that is mapped a second time, to be read or, as V8 does with its built-in code, to be near other
// code, is no image of it; code that its program has moved onto anonymous pages is.
func (l *look) whole(m *Image) bool {
	first := true
	for _, p := range m.loads() {
		if p.Filesz == 0 {
			continue
		}
		at := vm.PageDown(p.Vaddr + m.Bias)
		e := l.row(at)
		switch {
		case e == nil:
			return false
		case !e.File.Backed():
			if first {
				return false
			}
		case e.File.Path != m.Path || e.Offset+at-e.Start != vm.PageDown(p.Off):
			return false
		}
		first = false
	}
	return true
}

// biasOf returns what must be added to the file's own addresses for the row: what the segment that the row shows
// says.
func biasOf(f *elffile.File, e *vm.Mapping) (uint64, bool) {
	for _, p := range f.Progs() {
		if p.Type != elf.PT_LOAD || p.Filesz == 0 {
			continue
		}
		from := vm.PageDown(p.Off)
		if e.Offset < from || e.Offset >= p.Off+p.Filesz || p.Flags&elf.PF_X == 0 != (e.Perms&vm.Exec == 0) {
			continue
		}
		return e.Start - (vm.PageDown(p.Vaddr) + e.Offset - from), true
	}
	return 0, false
}

// image returns the loaded image whose file has one of these names, nil for none.
func (l *look) image(match func(name string) bool) *Image {
	for _, m := range l.images {
		if match(m.name()) {
			return m
		}
	}
	return nil
}

// image2 returns the first loaded image for which is holds, nil for none.
func (l *look) image2(is func(*Image) bool) *Image {
	for _, m := range l.images {
		if is(m) {
			return m
		}
	}
	return nil
}

// imageAt returns the image that covers addr with its segments, nil for none.
func (l *look) imageAt(addr uint64) *Image {
	i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].Start > addr })
	if i > 0 && l.segments[i-1].Contains(addr) {
		return l.segments[i-1].of
	}
	return nil
}
