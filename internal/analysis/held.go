package analysis

import (
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// A Held is a mapping, and the row of a report in which it is counted.
type Held struct {
	Range
	Figures Totals            // its own; the count is 0, since it may be a part of what is counted
	Heading *classify.Heading // of the row that counts it: that of the thing it is a part of
}

// Held yields the processes of s in the order of a report: for each what the report says of it, without rows, and all
// of its mappings, ascending.
func (s *State) Held(yield func(p *ReportProcess, held []Held) bool) {
	for _, p := range s.processes {
		_, rows := p.vmas()
		head := s.head(p, ReportOptions{}, rows)
		headings := map[*mapping]*classify.Heading{}
		for _, t := range s.objects(p) {
			for _, x := range t.mappings {
				headings[x] = t.row.Heading
			}
		}
		held := make([]Held, len(p.mappings))
		for i := range p.mappings {
			x := &p.mappings[i]
			n := x.totals()
			held[i] = Held{s.rangeOf(p, x, x.Range), p.totalsOf(&n), headings[x]}
		}
		if !yield(&head, held) {
			return
		}
	}
}

// Threads returns the threads of an address space up to the moment, in the order of their start; End is 0 for those
// that still run. It returns none if the space is not in use.
func (s *State) Threads(space int) []classify.Thread {
	for _, p := range s.processes {
		if p.ID == space {
			return p.threads
		}
	}
	return nil
}

// Frames are the frames of a stack, innermost first, and why the walk of it ended early.
func (s *State) Frames(stack int) (list []Frame, end string) { return s.names.Frames(stack) }

// Made are the calls that mapped something, in their order: of the last state that LoadEach yields, if it is that of the end; of
// others none.
func (s *State) Made() []Making { return s.makings }

// Header is the log's first line, nil where the log is cut before its end.
func (s *State) Header() *eventlog.Header { return s.header }

// End is the log's last line, nil where the log is cut.
func (s *State) End() *eventlog.End { return s.end }
