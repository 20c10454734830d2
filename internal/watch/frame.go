package watch

import (
	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/callers"
)

// A frame keeps only the numbers of a moment, so that thousands of moments fit into memory.
type frame struct {
	t     int64
	seq   uint64
	end   bool // at the end of a complete log, where processes are shown as they ended
	procs map[int]figures
	rows  map[analysis.By]map[rowKey]figures
}

// figures are the figures of a process or of a row.
type figures struct {
	addresses, usable int64
	resident          int64
	counted           bool  // resident is known
	given             int64 // of a process: bytes that calls of madvise gave back up to then, 0 where nobody counted
	ended             bool  // the process has ended; the figures are those at its end
	count             int
	words             int // index into register.words: what it is called at the moment
}

// A rowKey identifies a row of a report: by its process, and by its identity within the process.
type rowKey struct {
	pid int
	row int // index into register.keys
}

// A row is the text of a row of a report, or of a process.
type row struct {
	label string
	who   callers.Chain
}

// A register numbers the identities and the texts of rows, so that frames need not keep strings.
type register struct {
	keys    []string // identities of rows
	ids     map[string]int
	words   []row
	wordIDs map[string]int
}

func newRegister() *register {
	return &register{ids: map[string]int{}, wordIDs: map[string]int{}}
}

// bys are the ways to list that can be chosen.
var bys = [...]analysis.By{analysis.ByKind, analysis.ByFunction, analysis.ByThread, analysis.ByFile}

// frame keeps the numbers of a state.
func (g *register) frame(s *analysis.State) *frame {
	f := &frame{t: s.T, seq: s.Seq, end: s.Moment == analysis.Moment{} && s.End() != nil, procs: map[int]figures{}, rows: map[analysis.By]map[rowKey]figures{}}
	for _, by := range bys {
		f.rows[by] = map[rowKey]figures{}
		r := s.Report(analysis.ReportOptions{By: by})
		for i := range r.Processes {
			p := &r.Processes[i]
			n := figuresOf(&p.Total)
			n.ended, n.words = p.Ended, g.said(row{label: p.Name})
			if gave, _ := analysis.SumAdvised(p.Advised); gave != nil {
				n.given = *gave
			}
			f.procs[p.PID] = n
			for j := range p.Holders {
				r := &p.Holders[j]
				n := figuresOf(&r.Totals)
				n.words = g.said(row{r.Label, r.Who})
				f.rows[by][rowKey{p.PID, g.id(by, r)}] = n
			}
		}
	}
	return f
}

// id is the number of a row.
func (g *register) id(by analysis.By, r *analysis.Row) int {
	key := identity(by, r)
	id, ok := g.ids[key]
	if !ok {
		id = len(g.keys)
		g.keys = append(g.keys, key)
		g.ids[key] = id
	}
	return id
}

// said returns the number of a row's text. The text of one row changes: labels contain counts, and execve(2) renames a
// process.
func (g *register) said(r row) int {
	key := r.label + "\x00" + r.who.Whole()
	id, ok := g.wordIDs[key]
	if !ok {
		id = len(g.words)
		g.words = append(g.words, r)
		g.wordIDs[key] = id
	}
	return id
}

// identity returns what identifies a row within its process at all moments: in a list by kind the kind, since the label
// contains a count, and otherwise the label.
func identity(by analysis.By, r *analysis.Row) string {
	if by == analysis.ByKind {
		return "kind " + string(r.Kind)
	}
	return string(by) + " " + r.Label
}

// partIdentity returns what identifies a part within its row.
func partIdentity(r *analysis.Row) string {
	if len(r.Who.Calls) > 0 {
		return r.Who.Text(0) + "\x00" + r.Part
	}
	return r.Label
}

// total sums up all living processes or, if none lives, all that have ended.
func (f *frame) total() (sum figures) {
	alive := false
	for _, n := range f.procs {
		alive = alive || !n.ended
	}
	for _, n := range f.procs {
		if n.ended && alive {
			continue
		}
		sum.addresses += n.addresses
		sum.resident += n.resident
		sum.given += n.given
		sum.counted = sum.counted || n.counted
	}
	return sum
}

func figuresOf(t *analysis.Totals) figures {
	f := figures{addresses: t.Reserved, usable: t.Committed, count: t.Count}
	if t.Resident != nil {
		f.resident, f.counted = *t.Resident, true
	}
	return f
}
