package symbolize

import (
	"github.com/vmblame/vmblame/internal/elffile"
)

// dwarfSource is the source that names by DWARF (versions 2 to 5) of the file or its separate debug file:
// functions, the chain of inlined calls, file and line. It reads the units of the addresses asked for and
// no others.
type dwarfSource struct {
	file  *dwarfFile
	index unitIndex
	// spent tells that the file made more work than one can: it is malformed and not asked again.
	spent bool
}

// openDWARF opens the debugging information in the image itself.
func openDWARF(m *image) source {
	if !hasDebugInfo(m.file) {
		return nil
	}
	return newDwarfSource(m, m.file)
}

// openDebugFile opens the debugging information in the image's separate debug file.
func openDebugFile(m *image) source {
	d := m.debugFile()
	if d == nil || !hasDebugInfo(d) {
		return nil
	}
	return newDwarfSource(m, d)
}

// newDwarfSource names addresses of m by the debugging information in from.
func newDwarfSource(m *image, from *elffile.File) *dwarfSource {
	df := newDwarfFile(from, "", new(fuel))
	df.exec = m.exec
	df.dirs = m.debugDirs()
	df.splits.program = m.file.Name()
	return &dwarfSource{file: df, index: unitIndex{file: df}}
}

func hasDebugInfo(f *elffile.File) bool {
	for _, name := range []string{".debug_info", ".zdebug_info"} {
		if sh, ok := f.Section(name); ok && sh.FileSize > 0 && inside(f, sh) {
			return true
		}
	}
	return false
}

func (s *dwarfSource) close() { s.file.close() }

func (s *dwarfSource) answer(qs []query) {
	if s.spent {
		return
	}
	s.file.fuel.left = s.file.fuelForBatch()
	defer func() { s.spent = s.file.fuel.left < 0 }()
	lines := make(lineQueries)
	for i := range qs {
		q := &qs[i]
		if q.named() {
			continue
		}
		var table *lineTable
		s.index.find(q.addr, func(u *unit) bool {
			frames, bare := u.code().function(q.addr)
			if t := u.lineTable(); t != nil && (table == nil || len(frames) > 0) {
				table = t
			}
			if len(frames) > 0 {
				q.sym = Symbol{Frames: frames, Source: "dwarf"}
				q.wantLinkage = bare
			}
			return len(frames) == 0
		})
		if table != nil {
			lines[table] = append(lines[table], i)
		}
		if len(lines) > maxTables {
			lines.answer(qs)
			clear(lines)
		}
		s.file.trim()
	}
	lines.answer(qs)
}

// maxTables is how many line tables, with their units, wait for all of their queries: a table is run once for
// many of them.
const maxTables = 256

// lineQueries are the queries to be given a line by each table, as indexes.
type lineQueries map[*lineTable][]int

func (l lineQueries) answer(qs []query) {
	for t, list := range l {
		ps := make([]position, len(list))
		for k, i := range list {
			ps[k].addr = qs[i].addr
		}
		t.find(ps)
		for k, i := range list {
			if !ps[k].found {
				continue
			}
			q, name := &qs[i], t.unit.fileName(ps[k].file)
			if name == "" {
				continue
			}
			if q.named() {
				q.sym.Frames[0].File, q.sym.Frames[0].Line = name, ps[k].line
			} else {
				q.file, q.line = name, ps[k].line
			}
		}
	}
}
