package export

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"slices"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/strace"
)

// A tracer writes a trace, in order of time.
type tracer interface {
	// process and thread name the track of one, before anything on it.
	process(p *tracedProcess)
	thread(pid, tid int, name string)
	// sizes are bytes by kind that a process has at time t, in three ways.
	sizes(pid int, t int64, by map[string]sizes)
	// call is one at an instant: a log does not say how long it took.
	call(c *tracedCall)
	// end writes what is left.
	end() error
}

// A tracedProcess is a process of a trace.
type tracedProcess struct {
	pid  int
	name string
	argv []string
}

// sizes are the figures of one kind of memory, in bytes.
type sizes struct {
	addresses, usable int64
	resident          *int64 // nil where it was not counted
}

// A tracedCall is a mapping call of a trace.
type tracedCall struct {
	seq              uint64
	t                int64
	pid, tid         int
	name             string // of the system call
	text             string // as strace writes it
	error            string // errno's name where it failed
	mapped, unmapped int64
	stack            int // the log's number, 0 for none
	who              string
	state            *analysis.State
}

const (
	// traceMoments is the number of moments at which the sizes by kind are computed.
	traceMoments = 500
	// traceMappings bounds the mappings at all these moments together.
	traceMappings = 2_000_000
)

// writeTrace writes the calls of a log up to a moment and, at several moments before that, the sizes by kind as a
// report of each moment has them. make returns the writer for the trace's format. cut reports whether the log was cut
// off.
func writeTrace(open analysis.Open, at analysis.Moment, pids []int, make func(s *analysis.State) tracer) (cut bool, err error) {
	spaces := newSpaces()
	s, err := analysis.LoadFollowed(open, at, pids, spaces.put)
	if err != nil {
		return false, err
	}
	points, err := sizesOver(open, at, pids, s)
	if err != nil {
		return false, err
	}
	w := make(s)
	known := map[int]bool{}
	for _, sp := range spaces.order {
		if sp.wanted(pids) && !known[sp.pid] {
			known[sp.pid] = true
			// A process that executes another program bears the name of the last.
			last := sp
			for _, o := range spaces.order {
				if o.pid == sp.pid {
					last = o
				}
			}
			w.process(&tracedProcess{sp.pid, last.name(s), last.argv})
		}
	}
	threads := map[int]bool{}
	flush := func(t int64) {
		for len(points) > 0 && points[0].t <= t {
			w.sizes(points[0].pid, points[0].t, points[0].by)
			points = points[1:]
		}
	}
	_, err = analysis.LoadFollowed(open, at, pids, func(rec eventlog.Record) {
		e, ok := rec.(*eventlog.Event)
		if !ok {
			return
		}
		sp := spaces.of[e.Space]
		if sp == nil || !sp.wanted(pids) {
			return
		}
		if !threads[e.TID] {
			threads[e.TID] = true
			w.thread(e.PID, e.TID, s.ThreadName(e.TID, s.T))
		}
		flush(e.T)
		c := tracedCall{seq: e.Seq, t: e.T, pid: e.PID, tid: e.TID, name: e.Call, text: string(strace.AppendCall(nil, e)), error: e.Error, state: s}
		c.mapped, c.unmapped = moved(e.Changes)
		if e.Stack != nil {
			c.stack = *e.Stack
			c.who = s.WhoCalled(c.stack, sp.exe).Text(0)
		}
		w.call(&c)
	})
	if err != nil {
		return false, err
	}
	flush(s.T)
	return s.Cut, w.end()
}

// A point is the sizes of a process at one moment.
type point struct {
	t   int64
	pid int
	by  map[string]sizes
}

// sizesOver computes the sizes at several moments up to that of s. When nothing of a kind is left, a last point has its
// size as 0.
func sizesOver(open analysis.Open, at analysis.Moment, pids []int, s *analysis.State) ([]point, error) {
	survey, err := analysis.Take(open, pids, traceMoments, traceMappings, 0, s.Seq)
	if err != nil {
		return nil, err
	}
	moments := survey.Moments[:len(survey.Moments)-1] // the log's end
	var points []point
	alive := map[int]bool{} // by pid
	put := func(s *analysis.State) {
		now := map[int]bool{}
		for p, held := range s.Held {
			x := point{s.T, p.PID, sizesOf(held)}
			if p.Ended {
				x.t = p.Until // of the log's end alone: as it was before it ended
			} else {
				now[p.PID] = true
			}
			points = append(points, x)
		}
		for _, pid := range slices.Sorted(maps.Keys(alive)) {
			if !now[pid] {
				points = append(points, point{s.T, pid, map[string]sizes{}}) // it has ended
			}
		}
		alive = now
	}
	err = analysis.LoadEach(open, moments, pids, func(_ int, s *analysis.State) error {
		put(s)
		return nil
	})
	if err != nil {
		return nil, err
	}
	put(s)
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.t, b.t) })
	last := map[int]map[string]sizes{}
	for _, x := range points {
		for kind, was := range last[x.pid] {
			if _, ok := x.by[kind]; !ok && was.addresses > 0 {
				x.by[kind] = was.none()
			}
		}
		last[x.pid] = x.by
	}
	return points, nil
}

// none returns sizes of 0, with a resident size only if n has one.
func (n sizes) none() sizes {
	if n.resident == nil {
		return sizes{}
	}
	return sizes{resident: new(int64)}
}

// sizesOf adds up mappings by kind.
func sizesOf(held []analysis.Held) map[string]sizes {
	by := map[string]sizes{}
	for i := range held {
		h := &held[i]
		n := by[string(h.Kind)]
		n.addresses += h.Bytes
		n.usable += h.Figures.Committed
		if r := h.Figures.Resident; r != nil {
			sum := *r
			if n.resident != nil {
				sum += *n.resident
			}
			n.resident = &sum
		}
		by[string(h.Kind)] = n
	}
	return by
}

// writer writes to an io.Writer and remembers its first error.
type writer struct {
	to  io.Writer
	buf bytes.Buffer
	err error
}

// flush passes on what is in the buffer, if that is enough to be worth a call.
func (w *writer) flush(least int) {
	if w.buf.Len() < least {
		return
	}
	if w.err == nil {
		_, w.err = w.to.Write(w.buf.Bytes())
	}
	w.buf.Reset()
}
