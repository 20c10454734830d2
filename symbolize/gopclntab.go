package symbolize

import (
	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/gopclntab"
)

// pclntab is the source that names Go functions by the runtime's own table.
type pclntab struct{ table *gopclntab.Table }

// openPclntab opens the table of a Go program, nil where there is none of a layout that has names.
func openPclntab(m *image) source {
	t := gopclntab.Open(m.file, elffile.NewSegments(m.file))
	if t == nil || !t.Named() {
		return nil
	}
	return &pclntab{t}
}

func (p *pclntab) close() {}

func (p *pclntab) answer(qs []query) {
	for i := range qs {
		q := &qs[i]
		if q.named() {
			continue
		}
		calls, start := p.table.Calls(q.addr)
		if len(calls) == 0 {
			continue
		}
		q.sym = Symbol{Source: "gopclntab"}
		for _, c := range calls {
			q.sym.Frames = append(q.sym.Frames, Frame{Function: c.Function, Start: start, File: c.File, Line: c.Line, Inlined: c.Inlined})
		}
	}
}
