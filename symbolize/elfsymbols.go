package symbolize

import "strings"

// elfSymbols is the source that names by ELF symbols: .symtab and .dynsym of the file, .symtab of its
// separate debug file, .gnu_debugdata, and the stubs of the procedure linkage table. It reads them when the
// first address wants one.
type elfSymbols struct {
	symbols
	fdes  fdeTable
	image *image
	read  bool
}

func openSymbols(m *image) source { return &elfSymbols{fdes: fdeTable{f: m.file}, image: m} }

// load gathers the symbols of the image, at the first call.
func (s *elfSymbols) load() {
	if s.read {
		return
	}
	s.read = true
	m := s.image
	f := m.file
	s.add(f, ".symtab", "symtab", m.exec)
	if d := m.debugFile(); d != nil {
		s.add(d, ".symtab", "symtab", m.exec)
	}
	addMiniDebugInfo(&s.symbols, f, m.exec)
	dynsym := "dynsym"
	if f.Name() == "[vdso]" {
		dynsym = "vdso"
	}
	s.add(f, ".dynsym", dynsym, m.exec)
	addPLT(&s.symbols, f)
	s.index()
}

func (s *elfSymbols) close() {}

func (s *elfSymbols) answer(qs []query) {
	for i := range qs {
		q := &qs[i]
		if q.named() {
			s.addLinkage(q)
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
		f.File, f.Line = q.file, q.line
		q.sym = Symbol{Frames: []Frame{f}, Source: s.tables[e.table].source, Approximate: approximate}
		if approximate {
			q.sym.Source += "-nosize"
		}
	}
}

// nearest returns a symbol without a size that may be taken to reach to addr: no symbol and no beginning or
// end of an unwind table entry stands between them.
func (s *elfSymbols) nearest(addr uint64) *entry {
	e := s.unsized(addr)
	if e == nil || e.value == addr {
		return e
	}
	if !s.fdes.same(e.value, addr) {
		return nil
	}
	return e
}

// addLinkage looks for the symbol of a function that another source has named without a linkage name: a
// mangled one, or that of a part or copy that the compiler made (qsort.part.0).
func (s *elfSymbols) addLinkage(q *query) {
	last := &q.sym.Frames[len(q.sym.Frames)-1]
	if last.LinkageName != "" || q.sym.Source != "dwarf" {
		return
	}
	s.load()
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
