package symbolize

import (
	"strings"

	"github.com/vmblame/vmblame/internal/ehframe"
	"github.com/vmblame/vmblame/internal/elffile"
)

// elfSymbols is the source that names by ELF symbols: .symtab and .dynsym of the file, .symtab of its separate debug
// file, .gnu_debugdata, and the stubs of the procedure linkage table. It reads them at the first lookup that needs
// them.
type elfSymbols struct {
	symbols
	image *image
	read  bool
	scans int // how often the tables were scanned instead of loaded

	unwind       *ehframe.Table
	unwindOpened bool
}

func openSymbols(m *image) source { return &elfSymbols{image: m} }

// load gathers the symbols of the image, at the first call.
func (s *elfSymbols) load() {
	if s.read {
		return
	}
	s.read = true
	s.addOwn(s.image)
	if mini, err := s.image.file.MiniDebugInfo(); err == nil {
		s.add(mini, ".symtab", "minidebuginfo", s.image.exec)
	}
	s.addDynamic(s.image)
	addPLT(&s.symbols, s.image.file)
	s.index()
}

// addOwn adds .symtab of the file and of its debug file.
func (s *symbols) addOwn(m *image) {
	s.add(m.file, ".symtab", sourceSymtab, m.exec)
	if d := m.debugFile(); d != nil {
		s.add(d, ".symtab", sourceSymtab, m.exec)
	}
}

func (s *symbols) addDynamic(m *image) {
	dynsym := "dynsym"
	if m.file.Name() == "[vdso]" {
		dynsym = "vdso"
	}
	s.add(m.file, ".dynsym", dynsym, m.exec)
}

func (s *elfSymbols) close() {}

func (s *elfSymbols) answer(qs []query) {
	var linked []*query
	for i := range qs {
		q := &qs[i]
		if q.named() {
			if last := q.sym.Frames[len(q.sym.Frames)-1]; last.LinkageName == "" && q.sym.Source == "dwarf" {
				linked = append(linked, q)
			}
			continue
		}
		s.load()
		e, approximate := s.sized(q.addr), false
		if e == nil {
			e, approximate = s.nearest(q.addr), true
		}
		if e == nil {
			continue
		}
		name := s.name(e)
		if name == "" {
			continue
		}
		f := newFrame(name, e.value)
		f.File, f.Line, f.Unit = q.file, q.line, s.unitOf(e)
		q.sym = Symbol{Frames: []Frame{f}, Source: s.tables[e.table].source, Approximate: approximate}
		if approximate {
			q.sym.Source += "-nosize"
		}
	}
	if len(linked) == 0 {
		return
	}
	beginning := s.beginning(linked)
	for _, q := range linked {
		beginning.addLinkage(q)
	}
}

// beginning returns only the symbols at the start addresses of the functions of qs. That takes a fifth of the time of
// load, which sorts all.
func (s *elfSymbols) beginning(qs []*query) *symbols {
	const few = 4
	if s.scans++; s.read || s.scans > few {
		s.load()
		return &s.symbols
	}
	some := &symbols{only: make(map[uint64]bool, len(qs))}
	for _, q := range qs {
		some.only[q.sym.Frames[len(q.sym.Frames)-1].Start] = true
	}
	some.addOwn(s.image)
	some.addDynamic(s.image)
	some.index()
	return some
}

// nearest returns a symbol without a size that may be assumed to extend to addr: no other symbol and no start or end
// of an unwind table entry lies between them.
func (s *elfSymbols) nearest(addr uint64) *entry {
	e := s.unsized(addr)
	if e == nil || e.value == addr {
		return e
	}
	if !s.unwindOpened {
		s.unwindOpened = true
		s.unwind = ehframe.Open(s.image.file, elffile.NewSegments(s.image.file))
	}
	if !s.unwind.Same(e.value, addr) {
		return nil
	}
	return e
}

// addLinkage looks for the symbol of a function that another source named without a linkage name: a mangled name, or
// that of a part or copy made by the compiler (qsort.part.0).
func (s *symbols) addLinkage(q *query) {
	last := &q.sym.Frames[len(q.sym.Frames)-1]
	e := s.sized(last.Start)
	if e == nil || e.value != last.Start {
		return
	}
	name := s.name(e)
	if q.wantLinkage {
		if f := newFrame(name, e.value); f.LinkageName != "" {
			last.Function, last.LinkageName = f.Function, f.LinkageName
			return
		}
	}
	if strings.HasPrefix(name, last.Function+".") {
		last.LinkageName = name
	}
}
