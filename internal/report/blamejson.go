package report

import "github.com/vmblame/vmblame/internal/eventlog"

// BlameJSON is Blame for programs.
func (s *Scene) BlameJSON(q Blame) any {
	type made struct {
		Range
		Frames []Frame `json:"frames"`
	}
	type row struct {
		Start    eventlog.Hex `json:"start"`
		End      eventlog.Hex `json:"end"`
		Perms    string       `json:"perms,omitempty"`
		Path     string       `json:"path,omitempty"`
		Mapped   int64        `json:"mapped"`
		Mappings []made       `json:"mappings"`
	}
	type proc struct {
		PID  int    `json:"pid"`
		Exe  string `json:"exe"`
		Rows []row  `json:"rows"`
	}
	type doc struct {
		At
		Processes []proc `json:"processes"`
	}
	d := doc{s.at(), []proc{}}
	for _, p := range s.asked(&q) {
		j := proc{PID: p.PID, Exe: p.Exe, Rows: []row{}}
		for _, r := range s.rows(p, &q) {
			o := row{Start: eventlog.Hex(r.Start), End: eventlog.Hex(r.End), Perms: r.Perms, Path: r.Path, Mappings: []made{}}
			from, to := p.overlapping(r.Range)
			for i := from; i < to; i++ {
				x := &p.pieces[i]
				m := made{Range: s.rangeOf(p, x, r.Range)}
				if m.Stack != 0 {
					m.Frames = s.framesOf(m.Stack)
				}
				o.Mapped += m.Bytes
				o.Mappings = append(o.Mappings, m)
			}
			j.Rows = append(j.Rows, o)
		}
		d.Processes = append(d.Processes, j)
	}
	return d
}
