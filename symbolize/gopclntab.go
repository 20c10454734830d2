package symbolize

import (
	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/gopclntab"
)

// pclntab is the source that names Go functions by the runtime's own table.
type pclntab struct {
	file   *elffile.File
	table  *gopclntab.Table // nil where its layout has no names
	opened bool
}

// openPclntab returns a source that reads names from the .gopclntab of a Go program, or nil if it has none. The table
// is parsed at the first query.
func openPclntab(m *image) source {
	if _, ok := gopclntab.Section(m.file); !ok {
		return nil
	}
	return &pclntab{file: m.file}
}

func (p *pclntab) close() {}

func (p *pclntab) answer(qs []query) {
	for i := range qs {
		q := &qs[i]
		if q.named() {
			continue
		}
		if !p.opened {
			p.opened = true
			if t := gopclntab.Open(p.file, elffile.NewSegments(p.file)); t != nil && t.Named() {
				p.table = t
			}
		}
		if p.table == nil {
			return
		}
		calls, start := p.table.Calls(q.addr)
		if len(calls) == 0 {
			continue
		}
		q.sym = Symbol{Source: "gopclntab"}
		for _, c := range calls {
			// Where Go's linker has linked C++ or Rust, the table has their raw names too.
			f := newFrame(c.Function, start)
			f.File, f.Line, f.Inlined = c.File, c.Line, c.Inlined
			q.sym.Frames = append(q.sym.Frames, f)
		}
	}
}
