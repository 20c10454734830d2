package export

import (
	"strconv"
	"strings"
	"time"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// NewProfile reads a log up to a moment. log is the name of the log. If bare is set, processes and threads are
// identified by their names alone: for a difference, since pids and tids change from run to run.
func NewProfile(open analysis.Open, at analysis.Moment, pids []int, log string, bare bool) (*Profile, error) {
	y := tally{pids: pids, bare: bare, by: map[callKey]*sample{}, spaces: newSpaces()}
	s, err := analysis.LoadFollowed(open, at, pids, y.put)
	if err != nil {
		return nil, err
	}
	p := &Profile{log: log, at: analysis.At{Moment: s.Moment.String(), T: s.T, Seq: s.Seq, Cut: s.Cut}, started: started(s)}
	y.held(s, p)
	for _, c := range y.list {
		c.sample.process = y.process(s, y.spaces.of[c.space])
		c.sample.thread = y.thread(c.tid, s.ThreadName(c.tid, c.t))
		c.sample.frames, c.sample.words = stackOf(s, c.stack, c.sample.call+" (no stack)")
		p.samples = append(p.samples, c.sample)
	}
	return p, nil
}

// started is when the recording began, zero where the log does not say.
func started(s *analysis.State) time.Time {
	if h := s.Header(); h != nil {
		if t, err := time.Parse(time.RFC3339Nano, h.Started); err == nil {
			return t
		}
	}
	return time.Time{}
}

// A tally counts calls and what they did.
type tally struct {
	pids   []int
	bare   bool
	spaces *spaces
	by     map[callKey]*sample
	list   []call
}

type callKey struct {
	space, tid, stack int
	call              string
}

// A call is all calls of one key.
type call struct {
	callKey
	t      int64 // of the first
	sample *sample
}

func (y *tally) put(rec eventlog.Record) {
	y.spaces.put(rec)
	e, ok := rec.(*eventlog.Event)
	if !ok || strings.HasPrefix(e.Call, "execve") {
		return // an execve is no mapping call
	}
	sp := y.spaces.of[e.Space]
	if sp == nil || !sp.wanted(y.pids) {
		return
	}
	k := callKey{space: e.Space, tid: e.TID, call: e.Call}
	if e.Stack != nil {
		k.stack = *e.Stack
	}
	c := y.by[k]
	if c == nil {
		c = &sample{origin: origin{call: e.Call}}
		y.by[k] = c
		y.list = append(y.list, call{k, e.T, c})
	}
	mapped, unmapped := moved(e.Changes)
	c.now[Mapped] += mapped
	c.now[Unmapped] += unmapped
	c.now[Calls]++
}

// moved returns how many bytes changes map and unmap. A mapping over another one counts as both.
func moved(changes []eventlog.Change) (mapped, unmapped int64) {
	for i := range changes {
		switch n := int64(changes[i].End - changes[i].Start); {
		case changes[i].Was == nil && changes[i].Now != nil:
			mapped += n
		case changes[i].Was != nil && changes[i].Now == nil:
			unmapped += n
		}
	}
	return mapped, unmapped
}

// held adds to p what is mapped at the moment.
func (y *tally) held(s *analysis.State, p *Profile) {
	type key struct {
		origin
		stack int
		words string
	}
	for proc, held := range s.Held {
		if p.exe == "" {
			p.exe = proc.Exe
		}
		process := y.label(proc.PID, proc.Name)
		by := map[key]*sample{}
		for i := range held {
			h := &held[i]
			k := key{origin: origin{process: process, kind: string(h.Kind)}, stack: h.Stack}
			if h.Backed {
				k.file = h.Path
			}
			if h.TID != 0 {
				k.thread = y.thread(h.TID, h.Thread)
			}
			if h.Stack == 0 {
				k.words = h.Who.Text(0)
			}
			c := by[k]
			if c == nil {
				c = &sample{origin: k.origin}
				c.frames, c.words = stackOf(s, h.Stack, k.words)
				by[k] = c
				p.samples = append(p.samples, c)
			}
			c.now[Addresses] += h.Bytes
			c.now[Usable] += h.Figures.Committed
			c.now[Mappings]++
			p.uncounted += h.Figures.Uncounted
			if h.Figures.Resident != nil {
				c.now[Resident] += *h.Figures.Resident
				p.counted = true
			}
		}
	}
}

// stackOf is the frames of a stack, or words where it has none.
func stackOf(s *analysis.State, stack int, words string) ([]analysis.Frame, string) {
	if stack == 0 {
		return nil, words
	}
	frames, _ := s.Frames(stack)
	if len(frames) == 0 {
		return nil, "no stack"
	}
	return frames, ""
}

func (y *tally) process(s *analysis.State, sp *space) string {
	return y.label(sp.pid, sp.name(s))
}

// label names a process.
func (y *tally) label(pid int, name string) string {
	if y.bare {
		return name
	}
	return strings.TrimSuffix(strconv.Itoa(pid)+" "+name, " ")
}

// thread names a thread.
func (y *tally) thread(tid int, name string) string {
	if y.bare {
		return name
	}
	return analysis.ThreadLabel(tid, name)
}
