package report

import (
	"io"
	"path"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
)

// SummaryOptions say how a Summary looks.
type SummaryOptions struct {
	Log    string   // name of the log, "" for none
	Quoted string   // the same as one word of a shell
	Width  int      // columns of the terminal
	Whole  bool     // WHO is written whole, however wide: what is not a terminal elides nothing
	Color  bool     // with ANSI colours
	Next   []string // commands that show more, in the last line
	// Scene, where set, is called at the end for what the log just written says: the tables then name kinds.
	// It may return nil.
	Scene func() *Scene
}

// Summary counts while the recording goes on and says at its end what is mapped, who mapped it, how much
// of it is explained, and what changed without a call. Its memory grows with what is mapped and with the
// number of distinct stacks, not with the number of events.
type Summary struct {
	w     io.Writer
	o     SummaryOptions
	names *names

	calls   int
	callers map[int]struct{} // tids
	drifts  driftCount
	notes   map[string]bool // codes seen

	spaces  map[int]*space
	threads map[int]*space // by tid
	dropped int            // processes that ended and were too small to be kept
}

// shown is how many processes get a table; rows is the number of rows in it.
const (
	shown = 3
	rows  = 10
)

// space is one address space, or what it was when the last of its threads ended.
type space struct {
	id, pid  int
	first    bool // of the launched, or first attached, process
	exe      string
	threads  int
	ended    bool
	owners   *owners
	resident map[owner]int64 // bytes, from the last snapshot; nil without one
}

type driftCount struct {
	growths, others     int
	grownBytes, changed int64
	guesses             []string // of the others, each once
}

var _ eventlog.Sink = (*Summary)(nil)

// NewSummary returns a sink that writes its text to w when the end record comes. Without one, as when the
// recording failed, it writes nothing.
func NewSummary(w io.Writer, o SummaryOptions) *Summary {
	return &Summary{
		w:       w,
		o:       o,
		names:   newNames(false, classify.Known()),
		callers: map[int]struct{}{},
		notes:   map[string]bool{},
		spaces:  map[int]*space{},
		threads: map[int]*space{},
	}
}

// Put implements eventlog.Sink. It returns the error of writing the text.
func (s *Summary) Put(r eventlog.Record) error {
	switch r := r.(type) {
	case *eventlog.Module, *eventlog.Stack, *eventlog.Symbol:
		s.names.put(r)
	case *eventlog.Space:
		s.begin(r)
	case *eventlog.Thread:
		s.thread(r)
	case *eventlog.Event:
		s.event(r)
	case *eventlog.Drift:
		s.drift(r)
	case *eventlog.Snapshot:
		s.snapshot(r)
	case *eventlog.Note:
		s.notes[r.Code] = true
	case *eventlog.End:
		_, err := s.w.Write(s.text(r))
		return err
	}
	return nil
}

func (s *Summary) event(r *eventlog.Event) {
	if !strings.HasPrefix(r.Call, "execve") {
		s.calls++
		s.callers[r.TID] = struct{}{}
	}
	sp := s.spaces[r.Space]
	if sp == nil || sp.owners == nil {
		return
	}
	by := origin{call: r.Call}
	if r.Stack != nil {
		by.stack = *r.Stack
	}
	sp.owners.apply(r.Changes, r.Seq, by)
}

func (s *Summary) begin(r *eventlog.Space) {
	sp := &space{id: r.Space, pid: r.PID, first: len(s.spaces) == 0 && s.dropped == 0, exe: r.Exe, owners: newOwners()}
	var parent *owners
	if r.Parent != nil {
		if p := s.spaces[*r.Parent]; p != nil {
			parent = p.owners
			if r.Cause == "exec" && p.pid == r.PID {
				// The process goes on in the new space.
				sp.first = p.first
				delete(s.spaces, p.id)
			}
		}
	}
	sp.owners.begin(r.Mappings, parent)
	s.spaces[sp.id] = sp
}

func (s *Summary) thread(r *eventlog.Thread) {
	if r.What != "start" {
		if sp := s.threads[r.TID]; sp != nil {
			delete(s.threads, r.TID)
			if sp.threads--; sp.threads == 0 {
				sp.ended = true
				s.forget()
			}
		}
	}
	if sp := s.spaces[r.Space]; sp != nil && r.What != "exit" {
		if s.threads[r.TID] == nil {
			sp.threads++
		}
		s.threads[r.TID] = sp
		sp.ended = false
	}
}

// forget drops the smallest of the ended processes when more of them are kept than are shown.
func (s *Summary) forget() {
	var smallest *space
	n := 0
	for _, sp := range s.spaces {
		if !sp.ended || sp.first {
			continue
		}
		n++
		if smallest == nil || sp.owners.mapped < smallest.owners.mapped ||
			sp.owners.mapped == smallest.owners.mapped && sp.id > smallest.id {
			smallest = sp
		}
	}
	if n > shown {
		delete(s.spaces, smallest.id)
		s.dropped++
	}
}

func (s *Summary) drift(r *eventlog.Drift) {
	var n int64
	for i := range r.Changes {
		n += int64(r.Changes[i].End - r.Changes[i].Start)
	}
	if r.Guess == "stack growth" {
		s.drifts.growths++
		s.drifts.grownBytes += n
	} else {
		s.drifts.others++
		s.drifts.changed += n
		if !slices.Contains(s.drifts.guesses, r.Guess) {
			s.drifts.guesses = append(s.drifts.guesses, r.Guess)
		}
	}
	if sp := s.spaces[r.Space]; sp != nil {
		sp.owners.apply(r.Changes, 0, origin{})
	}
}

func (s *Summary) snapshot(r *eventlog.Snapshot) {
	sp := s.spaces[r.Space]
	if sp == nil || r.Cause != "exit" && r.Cause != "detach" {
		return
	}
	sp.resident = map[owner]int64{}
	for i := range r.Mappings {
		m := &r.Mappings[i]
		sp.resident[ownerOf(&m.Attr)] += int64(m.RSS)
	}
}

// processes returns the spaces that get a table, the first process before all others, then by size, and
// how many have none.
func (s *Summary) processes() ([]*space, int) {
	var all []*space
	for _, sp := range s.spaces {
		all = append(all, sp)
	}
	slices.SortFunc(all, func(a, b *space) int {
		switch {
		case a.first != b.first:
			if a.first {
				return -1
			}
			return 1
		case a.owners.mapped != b.owners.mapped:
			if a.owners.mapped > b.owners.mapped {
				return -1
			}
			return 1
		}
		return a.id - b.id
	})
	n := min(shown, len(all))
	return all[:n], len(all) - n + s.dropped
}

// name is what a process is called: its executable's file name.
func (sp *space) name() string {
	if sp.exe == "" {
		return "?"
	}
	return text.Printable(path.Base(sp.exe))
}
