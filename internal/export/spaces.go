package export

import (
	"slices"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// spaces knows the process of every address space of a log, including those that are no longer in use at the moment.
type spaces struct {
	of    map[int]*space
	order []*space
}

// A space is an address space and the process that began it.
type space struct {
	id, pid int
	exe     string
	argv    []string
	began   int64
}

func newSpaces() *spaces { return &spaces{of: map[int]*space{}} }

func (l *spaces) put(rec eventlog.Record) {
	r, ok := rec.(*eventlog.Space)
	if !ok {
		return
	}
	sp := &space{r.Space, r.PID, r.Exe, slices.Clone(r.Argv), r.T}
	l.of[r.Space] = sp
	l.order = append(l.order, sp)
}

// wanted reports whether the space belongs to one of pids. An empty list means all.
func (sp *space) wanted(pids []int) bool { return len(pids) == 0 || slices.Contains(pids, sp.pid) }

// name is what a person calls the process, as in a report.
func (sp *space) name(s *analysis.State) string {
	return analysis.ProcessName(sp.argv, s.ThreadName(sp.pid, s.T), sp.exe)
}
