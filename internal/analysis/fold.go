package analysis

import (
	"cmp"
	"maps"
	"slices"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/strace"
	"github.com/vmblame/vmblame/internal/vm"
)

// A folder builds a State from records.
type folder struct {
	at     Moment
	line   int // with AtPeak: the last line before the moment
	pids   []int
	past   bool   // the moment is over
	skim   func() // makes the reader decode only Seq and T of later events; nil once called
	moved  bool   // something has changed since the first complete state
	execed int    // with AtSeq: the space that the process left, if the moment's event is an execve
	latest int64  // t of the log's last line, even if that is after the moment
	last   uint64 // seq of its last event
	watch  *watcher
	follow func(eventlog.Record) // called with every record up to the moment; may be nil
	// measure returns the resident memory of a space in use. It may be nil.
	measure func(*eventlog.SpaceState) *eventlog.Snapshot
	known   *classify.Catalogue
	state   *State
	replay  *eventlog.Replay
	seen    map[int]*nearest           // by space
	told    map[int][]classify.Finding // findings from inspecting memory, by space
	guards  guards
	sizes   map[int]int64 // mapped bytes, by space
	mapped  int64         // their sum
	peaks   map[int]int64 // the most of sizes
	peaksT  map[int]int64 // when that was
	first   int           // pid of the first process
	begun   int           // how many processes began an address space
	led     int           // how many threads were the first of their process
	keep    int           // number of ended processes to keep, the largest ones; 0 for all
	gone    []int         // the spaces of those
}

func (l *folder) begin() {
	l.state = &State{known: l.known, Moment: l.at, names: NewNames(true, l.known), threads: newThreads(), origins: newOrigins(), chains: map[chainKey]callers.Chain{}, exits: map[int]*eventlog.Exit{}, unnamed: map[string][]Module{}}
	l.replay = eventlog.NewReplay()
	l.seen, l.told = map[int]*nearest{}, map[int][]classify.Finding{}
	l.sizes, l.peaks = map[int]int64{}, map[int]int64{}
	l.guards = guards{}
	l.peaksT = map[int]int64{}
}

func (l *folder) put(rec eventlog.Record, line int) {
	s := l.state
	past := l.isPast(rec, line)
	if l.past && l.skim != nil {
		l.skim()
		l.skim = nil
	}
	l.note(rec)
	if l.follow != nil && !past {
		l.follow(rec)
	}
	switch r := rec.(type) {
	case *eventlog.Header:
		h := *r
		h.Environment = maps.Clone(r.Environment)
		s.header = &h
	case *eventlog.Module, *eventlog.Stack, *eventlog.Symbol:
		s.names.Put(r)
	case *eventlog.Snapshot:
		v := l.seen[r.Space]
		if v == nil {
			v = &nearest{}
			l.seen[r.Space] = v
		}
		v.put(r, past)
		s.memory = max(s.memory, r.System["memory"])
	case *eventlog.Content:
		// It describes what existed before the recording, so it is used for every moment.
		l.told[r.Space] = append(l.told[r.Space], findings(r)...)
	case *eventlog.End:
		end := *r
		s.end = &end
		if !past {
			_ = l.replay.Put(r) // what does not fit is for check to say
			s.T = max(s.T, r.T)
		}
	case *eventlog.Thread:
		if past {
			s.threads.rename(r)
			return
		}
		s.T = max(s.T, r.T)
		if r.Exit != nil {
			s.exits[r.Space] = r.Exit
		}
		if r.What == "start" && r.TID == r.PID {
			l.led++
		}
		s.threads.line = line
		if left := s.threads.put(r); left != 0 {
			l.size(left, 0)
			l.leave(left)
		}
		if t := s.threads; l.keep > 0 && t.known >= t.sweep {
			l.prune()
		}
	case *eventlog.Space:
		if !past {
			_ = l.replay.Put(r) // what does not fit is for check to say
			s.T = max(s.T, r.T)
			if l.first == 0 {
				l.first = r.PID
			}
			l.begun++
			l.guards.begin(r)
			if old := l.left(r); old != 0 {
				l.begun--
				l.size(old, 0)
				// A process has one peak, whatever it executes.
				l.peaks[r.Space], l.peaksT[r.Space] = l.peaks[old], l.peaksT[old]
				if l.keep > 0 {
					l.forget(old)
				}
			}
			l.resize(r.Space)
			if l.watch != nil {
				l.watch.begin(r, l.replay)
			}
		}
	case *eventlog.Event:
		if !past {
			s.T, s.Seq = max(s.T, r.T), r.Seq
			if r.Error != "" {
				if sp := l.replay.Space(r.Space); sp != nil && wanted(l.pids, sp.PID) {
					s.failures.put(r, sp, s)
				}
			}
			s.origins.put(r)
			_ = l.replay.Put(r) // what does not fit is for check to say
			l.guards.put(r)
			l.resize(r.Space)
			if s.origins.full() {
				s.origins.forget(l.replay)
			}
			if sp := l.replay.Space(r.Space); l.watch != nil && sp != nil {
				st := Step{T: r.T, Event: r.Seq, PID: r.PID, TID: r.TID, call: r.Call}
				if r.Stack != nil {
					st.Stack = *r.Stack
				}
				l.watch.event(sp, r.Changes, st, func() string { return string(strace.AppendCall(nil, r)) })
			}
		}
	case *eventlog.Advice:
		l.advise(r, past)
	case *eventlog.Origin:
		s.origins.put(&r.Event)
		s.threads.remember(r)
		if l.watch != nil {
			l.watch.origin(r)
		}
	case *eventlog.Drift:
		if !past {
			s.T = max(s.T, r.T)
			_ = l.replay.Put(r) // what does not fit is for check to say
			l.resize(r.Space)
			if sp := l.replay.Space(r.Space); l.watch != nil && sp != nil {
				l.watch.event(sp, r.Changes, Step{T: r.T, call: r.Guess}, nil)
			}
		}
	}
}

// left returns the space that the process leaves by the exec which starts r, 0 if none: the two never exist at the
// same time.
func (l *folder) left(r *eventlog.Space) int {
	if r.Cause != "exec" || r.Parent == nil {
		return 0
	}
	if p := l.replay.Space(*r.Parent); p != nil && p.PID == r.PID {
		return p.ID
	}
	return 0
}

// resize counts what is mapped in a space after a change of it.
func (l *folder) resize(space int) {
	if sp := l.replay.Space(space); sp != nil && wanted(l.pids, sp.PID) {
		l.size(space, int64(sp.Ledger.Bytes()))
	}
}

func (l *folder) size(space int, n int64) {
	l.mapped += n - l.sizes[space]
	l.sizes[space] = n
	if n > l.peaks[space] {
		l.peaks[space], l.peaksT[space] = n, l.state.T
	}
	l.state.peak = max(l.state.peak, l.mapped)
}

// leave handles a space that has lost its last thread. If there are too many, the smallest is dropped.
func (l *folder) leave(space int) {
	sp := l.replay.Space(space)
	switch {
	case l.keep == 0, sp != nil && sp.PID == l.first:
		return
	case sp == nil:
		l.forget(space)
		return
	}
	if l.gone = append(l.gone, space); len(l.gone) <= l.keep {
		return
	}
	smallest := 0
	for i, id := range l.gone {
		a, b := l.replay.Space(id).Ledger.Bytes(), l.replay.Space(l.gone[smallest]).Ledger.Bytes()
		if a < b || a == b && id > l.gone[smallest] {
			smallest = i
		}
	}
	l.forget(l.gone[smallest])
	l.gone = slices.Delete(l.gone, smallest, smallest+1)
}

// prune forgets threads that have ended and of which nothing is left: nothing that they made, and no stack of
// theirs that might be used again.
func (l *folder) prune() {
	made := map[int][]int64{} // by tid: when
	for _, e := range l.state.origins.by {
		made[e.TID] = append(made[e.TID], e.T)
	}
	type stack struct {
		space int
		start uint64
	}
	seen := map[stack]bool{}
	l.state.threads.prune(func(x *thread) bool {
		sp := l.replay.Space(x.space)
		if !x.ended || sp == nil || l.state.threads.over(x.space) {
			return true
		}
		if slices.ContainsFunc(made[x.TID], func(t int64) bool { return x.Start <= t && t <= x.End }) {
			return true
		}
		e, mapped := sp.Ledger.At(x.SP)
		at := stack{x.space, e.Start}
		first := mapped && !seen[at]
		seen[at] = true
		return first
	})
}

// forget drops all that is known of a space.
func (l *folder) forget(space int) {
	l.replay.Forget(space)
	l.state.threads.forget(space)
	delete(l.seen, space)
	delete(l.told, space)
	delete(l.sizes, space)
	delete(l.peaks, space)
	delete(l.peaksT, space)
	delete(l.state.exits, space)
	delete(l.state.limits, space)
	l.state.advised.forget(space)
}

// replaced are the spaces that their process left by an exec.
func (l *folder) replaced() map[int]bool {
	replaced := map[int]bool{}
	for _, sp := range l.replay.Spaces() {
		if p := l.replay.Space(sp.Parent); sp.Cause == "exec" && p != nil && p.PID == sp.PID {
			replaced[p.ID] = true
		}
	}
	return replaced
}

// finish makes the processes out of what has been read.
func (l *folder) finish() {
	s := l.state
	replaced := l.replaced()
	for _, sp := range l.replay.Spaces() {
		ended := s.threads.over(sp.ID)
		if replaced[sp.ID] || !wanted(l.pids, sp.PID) || ended && l.at.Kind != AtEnd {
			continue
		}
		l.process(sp, ended)
	}
	l.sort()
}

// process adds to the state the process of a space.
func (l *folder) process(sp *eventlog.SpaceState, ended bool) {
	p := &process{SpaceState: sp, first: sp.PID == l.first, ended: ended, until: l.state.T, peak: l.peaks[sp.ID], peakT: l.peaksT[sp.ID]}
	l.fill(p)
	l.state.processes = append(l.state.processes, p)
}

// sort puts the processes in their order: the first one first, then the largest.
func (l *folder) sort() {
	s := l.state
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

// fill fills the mappings of p.
func (l *folder) fill(p *process) {
	s := l.state
	seen := l.seen[p.ID]
	if l.measure != nil && !p.ended {
		if r := l.measure(p.SpaceState); r != nil {
			r.T = s.T
			seen = &nearest{}
			seen.put(r, false)
		}
	}
	if p.ended {
		p.until = s.threads.lastOf(p.ID)
		// Use the figures from before its threads ended. A killed process has no such snapshot.
		if seen != nil && seen.before != nil && (seen.before.cause == "exit" || seen.before.cause == "detach") {
			p.until = seen.before.t
		}
	}
	p.threads = s.threads.of(p.ID, p.until)
	told := l.toldOf(p.SpaceState)
	if s.mode() != "map" {
		told = withoutBooks(told)
	}
	space := classify.Space{
		PID: p.PID, Exe: p.Exe, Entries: classify.CutAtParts(p.Ledger.List(), told), Content: told, Threads: p.threads,
		Event:     func(seq uint64) *classify.Event { return s.origins.by[seq] },
		Frames:    s.names.functions,
		Role:      s.names.role,
		Addresses: s.names.addresses,
	}
	p.mappings = make([]mapping, len(space.Entries))
	for i, e := range space.Entries {
		p.mappings[i].Entry = e
		p.mappings[i].event = s.origins.by[e.Origin.Event]
		p.mappings[i].guarded = l.guards.in(p.ID, e.Range)
	}
	names := seen.usage(p, s.T)
	if names != nil {
		space.AnonName = func(i int) string { return names[i] }
	}
	for i, v := range s.known.Classify(&space) {
		p.mappings[i].Verdict, p.mappings[i].row = v, s.known.Row(v.Kind)
	}
}

// toldOf returns the findings for a space, including those of the spaces that it was forked from.
func (l *folder) toldOf(sp *eventlog.SpaceState) []classify.Finding {
	for l.told[sp.ID] == nil && sp.Cause == "fork" {
		parent := l.replay.Space(sp.Parent)
		if parent == nil || parent == sp {
			break
		}
		sp = parent
	}
	return l.told[sp.ID]
}

// withoutBooks removes the allocators' figures, which were true only when memory was inspected.
func withoutBooks(list []classify.Finding) []classify.Finding {
	list = slices.Clone(list)
	for i := range list {
		list[i].Books = nil
	}
	return list
}

// findings converts a content record.
func findings(r *eventlog.Content) []classify.Finding {
	list := make([]classify.Finding, len(r.Findings))
	for i := range r.Findings {
		f := &r.Findings[i]
		list[i] = classify.Finding{Kind: classify.Kind(f.Kind), Detail: f.Detail, TID: f.TID, Confidence: classify.Confidence(f.Confidence), Evidence: f.Evidence}
		for _, p := range f.Parts {
			list[i].Parts = append(list[i].Parts, classify.Part{Range: vm.Range{Start: uint64(p.Start), End: uint64(p.End)}, Kind: classify.Kind(p.Kind)})
		}
		if f.Books != nil {
			list[i].Books = &classify.Books{System: f.Books.System, Free: f.Books.Free, Top: f.Books.Top}
		}
	}
	return list
}
