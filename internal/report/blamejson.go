package report

import "github.com/vmblame/vmblame/internal/eventlog"

type frameJSON struct {
	Function string       `json:"function,omitempty"`
	Module   string       `json:"module"`
	Offset   eventlog.Hex `json:"offset"`
	File     string       `json:"file,omitempty"`
	Line     int          `json:"line,omitempty"`
	Inlined  bool         `json:"inlined,omitempty"`
}

// frames are the frames of a stack, innermost first.
func (s *Scene) framesJSON(stack int) []frameJSON {
	var list []frameJSON
	for st := range s.names.walk(stack) {
		list = append(list, frameJSON{st.name, st.module, eventlog.Hex(st.addr), st.file, st.line, st.inlined})
	}
	return list
}

// BlameJSON is Blame for programs.
func (s *Scene) BlameJSON(q Blame) any {
	type made struct {
		mappingJSON
		Frames []frameJSON `json:"frames"`
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
		momentJSON
		Processes []proc `json:"processes"`
	}
	d := doc{s.momentJSON(), []proc{}}
	for _, p := range s.asked(&q) {
		j := proc{PID: p.PID, Exe: p.Exe, Rows: []row{}}
		for _, r := range s.rows(p, &q) {
			o := row{Start: eventlog.Hex(r.Start), End: eventlog.Hex(r.End), Perms: r.Perms, Path: r.Path, Mappings: []made{}}
			from, to := p.overlapping(r.Range)
			for i := from; i < to; i++ {
				x := &p.pieces[i]
				m := made{mappingJSON: s.partJSON(p, x, r.Range)}
				if m.Stack != 0 {
					m.Frames = s.framesJSON(m.Stack)
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
