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
}

// openDWARF opens the debugging information of f, where its own or a separate file has some.
func openDWARF(f *elffile.File, opts Options) source {
	from := f
	if !hasDebugInfo(f) {
		if from = debugFile(f, opts); from == nil || !hasDebugInfo(from) {
			return nil
		}
	}
	df := newDwarfFile(from, "", new(fuel))
	df.exec = codeOf(f)
	df.dirs = debugDirs(opts)
	df.splits.program = f.Name()
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

func debugDirs(opts Options) []string {
	if len(opts.DebugDirs) > 0 {
		return opts.DebugDirs
	}
	return []string{elffile.DefaultDebugDir}
}

func (s *dwarfSource) close() { s.file.close() }

func (s *dwarfSource) answer(qs []query) {
	s.file.fuel.left = fuelPerBatch
	lines := make(map[*lineTable][]int) // queries to be given a line by each table
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
		s.file.trim()
	}
	for t, list := range lines {
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
