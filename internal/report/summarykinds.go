package report

import (
	"strings"

	"github.com/vmblame/vmblame/internal/text"
)

// process is the address space with that id, nil where the scene, which may be nil, has none.
func (s *Scene) process(space int) *process {
	if s == nil {
		return nil
	}
	for _, p := range s.processes {
		if p.ID == space {
			return p
		}
	}
	return nil
}

// largest is the largest piece of p, nil for none.
func (p *process) largest() *piece {
	var most *piece
	for i := range p.pieces {
		if x := &p.pieces[i]; most == nil || x.Len() > most.Len() {
			most = x
		}
	}
	return most
}

// kindTable is the table of a summary: the largest owners of p, what they hold, and who they are.
func (s *Scene) kindTable(b []byte, p *process, o SummaryOptions) []byte {
	var owners []*share
	for _, f := range s.byKind(p) {
		if len(f.parts) == 0 {
			owners = append(owners, f)
		}
		owners = append(owners, f.parts...)
	}
	owners, _ = arrange(owners, ReportOptions{})
	t := ownerTable{resident: p.taken >= 0}
	for i, h := range owners {
		r := &t.more
		if i < rows || len(owners) == rows+1 {
			label := h.full
			if label == "" {
				label = h.label
			}
			t.rows = append(t.rows, row{kind: label, mappings: 1, who: h.who})
			r = &t.rows[len(t.rows)-1]
		} else {
			r.mappings++
		}
		r.reserved += h.reserved
		r.committed += h.committed
		r.resident += h.rss
	}
	return t.appendText(b, o)
}

// hint appends what would spare most of p's address space.
func (s *Scene) hint(b []byte, p *process, o SummaryOptions) []byte {
	l := text.Style{Width: o.Width, Whole: o.Whole}
	for _, a := range s.advice(p, l) {
		// The whole sentence is in the report.
		hint, _, _ := strings.Cut(a.text, "; ")
		b = append(b, text.Fold("hint: "+text.Printable(hint), 0, "")...)
		b = append(b, '\n')
		break
	}
	return b
}
