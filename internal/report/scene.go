package report

import (
	"cmp"
	"errors"
	"io"
	"path"
	"slices"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/text"
)

// A Scene is what is mapped at one moment of a log, in every address space that is in use then, and who
// made it so. The views of a finished log are made from it. It is not safe for concurrent use.
type Scene struct {
	Moment Moment
	T      int64  // of the moment, nanoseconds since the recording began
	Seq    uint64 // the last event before it
	Cut    bool   // the log ends without its end line

	known     *classify.Catalogue
	header    *eventlog.Header
	end       *eventlog.End // nil where the log is cut
	names     *names
	lives     *lives
	makers    *makers
	processes []*process
	peak      int64 // bytes, the most that the chosen processes had mapped together up to the moment
	chains    map[chainKey]callers.Chain
	unnamed   map[string][]Module // by the label of a step without a name
}

type chainKey struct {
	stack int
	exe   string
}

// A process is one address space at the moment of a Scene, under the pid that began it.
type process struct {
	*eventlog.SpaceState
	first   bool  // the launched, or first attached, one
	until   int64 // its last moment, or the scene's
	ended   bool
	threads []classify.Thread
	pieces  []piece // ascending
	taken   int64   // when the figures of resident memory were, -1 for never
}

// A piece is one entry of a ledger with everything that is known about it.
type piece struct {
	ledger.Entry
	classify.Verdict
	row   *classify.Row   // of its kind
	maker *classify.Event // nil where no event made it
	figures
}

// figures are the kernel's, in bytes.
type figures struct {
	rss, pss, dirty, swap int64
}

func (f *figures) add(o figures) {
	f.rss += o.rss
	f.pss += o.pss
	f.dirty += o.dirty
	f.swap += o.swap
}

// Open opens a log from its beginning. It is called once for every time the log is read.
type Open func() (*eventlog.Reader, error)

// ErrNoProcess tells that a log knows no process with the pid that was asked for.
var ErrNoProcess = errors.New("no such process in the log")

// Load reads the scene of a log at a moment. Of several processes only those with one of pids are in it,
// all without pids. A cut log gives the scene of what there is of it. For the peak the log is read twice.
func Load(open Open, at Moment, pids []int) (*Scene, error) {
	return load(open, at, pids, nil, classify.Known())
}

// load is Load, with one who watches, nil for none, and what is known of kinds.
func load(open Open, at Moment, pids []int, w *watcher, known *classify.Catalogue) (*Scene, error) {
	l := sceneLoader{at: at, pids: pids, watch: w, known: known}
	if at.Kind == AtPeak {
		peak := &tally{pids: pids, lives: newLives(), bytes: map[int]int64{}, pidOf: map[int]int{}}
		if _, err := each(open, func(r eventlog.Record, line int) { peak.put(r, line) }); err != nil {
			return nil, err
		}
		l.line = peak.line
	}
	l.begin()
	cut, err := each(open, l.put)
	if err != nil {
		return nil, err
	}
	s := l.scene
	s.Cut = cut
	l.finish()
	if at.Kind == AtSeq && s.Seq < at.Seq {
		// Behind its last event a log is at its end.
		if w != nil {
			*w = watcher{HistoryOptions: w.HistoryOptions, addr: w.addr, of: map[int]*watched{}}
		}
		return load(open, Moment{}, pids, w, known)
	}
	if len(s.processes) == 0 && len(pids) > 0 {
		return nil, ErrNoProcess
	}
	return s, nil
}

// each reads a log and tells whether it is cut.
func each(open Open, put func(r eventlog.Record, line int)) (cut bool, err error) {
	r, err := open()
	if err != nil {
		return false, err
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		switch {
		case err == io.EOF:
			return false, nil
		case errors.Is(err, eventlog.ErrCut):
			return true, nil
		case err != nil:
			return false, err
		}
		put(rec, r.Line())
	}
}

// sceneLoader builds a Scene.
type sceneLoader struct {
	at     Moment
	line   int // with AtPeak: the last line before the moment
	pids   []int
	past   bool // the moment is over
	watch  *watcher
	known  *classify.Catalogue
	scene  *Scene
	replay *eventlog.Replay
	seen   map[int]*sightings // by space
	sizes  map[int]int64      // mapped bytes, by space
	mapped int64              // their sum
}

func (l *sceneLoader) begin() {
	l.scene = &Scene{known: l.known, Moment: l.at, names: newNames(true, l.known), lives: newLives(), makers: newMakers(), chains: map[chainKey]callers.Chain{}, unnamed: map[string][]Module{}}
	l.replay = eventlog.NewReplay()
	l.seen = map[int]*sightings{}
	l.sizes = map[int]int64{}
}

func (l *sceneLoader) put(rec eventlog.Record, line int) {
	s := l.scene
	l.past = l.past || l.over(rec, line)
	switch r := rec.(type) {
	case *eventlog.Header:
		s.header = r
	case *eventlog.Module, *eventlog.Stack, *eventlog.Symbol:
		s.names.put(r)
	case *eventlog.Snapshot:
		v := l.seen[r.Space]
		if v == nil {
			v = &sightings{}
			l.seen[r.Space] = v
		}
		v.put(r, l.past)
	case *eventlog.End:
		s.end = r
		if !l.past {
			l.replay.Put(r)
			s.T = max(s.T, r.T)
		}
	case *eventlog.Thread:
		if l.past {
			s.lives.rename(r)
			return
		}
		s.T = max(s.T, r.T)
		if left := s.lives.put(r); left != 0 {
			l.size(left, 0)
		}
	case *eventlog.Space:
		if !l.past {
			l.replay.Put(r)
			s.T = max(s.T, r.T)
			if old := l.left(r); old != 0 {
				l.size(old, 0)
			}
			l.resize(r.Space)
			if l.watch != nil {
				l.watch.begin(r, l.replay)
			}
		}
	case *eventlog.Event:
		if !l.past {
			s.T, s.Seq = max(s.T, r.T), r.Seq
			s.makers.put(r)
			l.replay.Put(r)
			l.resize(r.Space)
			if s.makers.full() {
				s.makers.forget(l.replay)
			}
			if sp := l.replay.Space(r.Space); l.watch != nil && sp != nil {
				st := Step{T: r.T, Event: r.Seq, PID: r.PID, TID: r.TID, call: r.Call}
				if r.Stack != nil {
					st.Stack = *r.Stack
				}
				l.watch.event(sp, r.Changes, st, func() string { return string(appendCall(nil, r)) })
			}
		}
	case *eventlog.Drift:
		if !l.past {
			s.T = max(s.T, r.T)
			l.replay.Put(r)
			l.resize(r.Space)
			if sp := l.replay.Space(r.Space); l.watch != nil && sp != nil {
				l.watch.event(sp, r.Changes, Step{T: r.T, call: r.Guess}, nil)
			}
		}
	}
}

// left is the space that its process leaves for r by an exec, 0 for none: both are never mapped together.
func (l *sceneLoader) left(r *eventlog.Space) int {
	if r.Cause != "exec" || r.Parent == nil {
		return 0
	}
	if p := l.replay.Space(*r.Parent); p != nil && p.PID == r.PID {
		return p.ID
	}
	return 0
}

// resize counts what is mapped in a space after a change of it.
func (l *sceneLoader) resize(space int) {
	if sp := l.replay.Space(space); sp != nil && wanted(l.pids, sp.PID) {
		l.size(space, int64(sp.Ledger.Bytes()))
	}
}

func (l *sceneLoader) size(space int, n int64) {
	l.mapped += n - l.sizes[space]
	l.sizes[space] = n
	l.scene.peak = max(l.scene.peak, l.mapped)
}

// over tells whether rec is the first record behind the moment.
func (l *sceneLoader) over(rec eventlog.Record, line int) bool {
	switch l.at.Kind {
	case AtPeak:
		return line > l.line
	case AtSeq:
		switch r := rec.(type) {
		case *eventlog.Event:
			return r.Seq > l.at.Seq
		case *eventlog.Space:
			return r.After > l.at.Seq
		case *eventlog.Thread:
			// What ends behind the event was there when it happened.
			return r.What == "exit" && l.scene.Seq >= l.at.Seq
		}
	case AtTime:
		t := int64(-1)
		switch r := rec.(type) {
		case *eventlog.Event:
			t = r.T
		case *eventlog.Space:
			t = r.T
		case *eventlog.Drift:
			t = r.T
		case *eventlog.Thread:
			t = r.T
		}
		return t > l.at.T
	}
	return false
}

func wanted(pids []int, pid int) bool { return len(pids) == 0 || slices.Contains(pids, pid) }

// finish makes the processes out of what has been read.
func (l *sceneLoader) finish() {
	s := l.scene
	replaced := map[int]bool{} // spaces that their process left by an exec
	for _, sp := range l.replay.Spaces() {
		if p := l.replay.Space(sp.Parent); sp.Cause == "exec" && p != nil && p.PID == sp.PID {
			replaced[p.ID] = true
		}
	}
	firstPID := 0
	for _, sp := range l.replay.Spaces() {
		if firstPID == 0 {
			firstPID = sp.PID
		}
		p := &process{SpaceState: sp, first: sp.PID == firstPID, ended: s.lives.over(sp.ID), until: s.T}
		if replaced[sp.ID] || !wanted(l.pids, sp.PID) || p.ended && l.at.Kind != AtEnd {
			continue
		}
		l.furnish(p)
		s.processes = append(s.processes, p)
	}
	slices.SortStableFunc(s.processes, func(a, b *process) int {
		if a.first != b.first {
			if a.first {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Ledger.Bytes(), a.Ledger.Bytes())
	})
}

// furnish fills the pieces of p.
func (l *sceneLoader) furnish(p *process) {
	s := l.scene
	seen := l.seen[p.ID]
	if p.ended {
		p.until = s.lives.lastOf(p.ID)
		// As it was before its threads were taken away. One that was killed has no such snapshot.
		if seen != nil && seen.before != nil && (seen.before.Cause == "exit" || seen.before.Cause == "detach") {
			p.until = seen.before.T
		}
	}
	p.threads = s.lives.of(p.ID, p.until)
	space := classify.Space{
		PID: p.PID, Exe: p.Exe, Entries: slices.Collect(p.Ledger.All), Threads: p.threads,
		Event:     func(seq uint64) *classify.Event { return s.makers.by[seq] },
		Frames:    s.names.functions,
		Addresses: s.names.addresses,
	}
	p.pieces = make([]piece, len(space.Entries))
	for i, e := range space.Entries {
		p.pieces[i].Entry = e
		p.pieces[i].maker = s.makers.by[e.Origin.Event]
	}
	names := seen.figures(p, s.T)
	if names != nil {
		space.AnonName = func(i int) string { return names[i] }
	}
	for i, v := range s.known.Classify(&space) {
		p.pieces[i].Verdict, p.pieces[i].row = v, s.known.Row(v.Kind)
	}
}

// functions yields the functions of a stack as classify wants them.
func (n *names) functions(stack int, yield func(function, module string) bool) {
	for s := range n.walk(stack) {
		if !yield(s.name, s.module) {
			return
		}
	}
}

// addresses yields the return addresses of a stack as classify wants them.
func (n *names) addresses(stack int, yield func(addr uint64) bool) {
	for _, id := range n.calls.frames(n.stacks[stack].node) {
		if !yield(n.frames[id].addr) {
			return
		}
	}
}

// name is what a process is called: its executable's file name, printable.
func (p *process) name() string {
	if p.Exe == "" {
		return "?"
	}
	return text.Printable(path.Base(p.Exe))
}
