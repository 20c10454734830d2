package analysis

import (
	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// LoadEach reads a log once and yields its state at each of several moments, in order. Each state equals what Load
// returns, except that only the state at the end has the failed calls. The moments are events other than execve,
// ascending; the start may come before them and the end after them. It stops at an error of yield.
func LoadEach(open Open, moments []Moment, pids []int, yield func(i int, s *State) error) error {
	l := folder{pids: pids, known: classify.Known()}
	l.begin()
	m := series{folder: &l, moments: moments, waiting: map[int][]*nearest{}}
	l.state.origins.pinned = map[uint64]bool{}
	cut, err := each(open, m.put)
	if err != nil {
		return err
	}
	for m.next < len(moments) && moments[m.next].Kind != AtEnd {
		m.freeze() // the log ends at this moment
	}
	l.state.Cut = cut
	for i := range moments {
		s := m.state(i)
		if err := yield(i, s); err != nil {
			return err
		}
	}
	return nil
}

// A Making is a call that mapped something.
type Making struct {
	Space int    // the log's number of the address space
	Seq   uint64 // of the event
}

// A series collects what the states of several moments need, in one reading of a log.
type series struct {
	*folder
	moments []Moment
	next    int // how many of them have been passed
	made    []Making
	frozen  []*frozen
	waiting map[int][]*nearest // spaces whose first snapshot after their moment has not come yet
	// chains and unnamed are the same for every moment, once the log has been read.
	chains  map[chainKey]callers.Chain
	unnamed map[string][]Module
}

// frozen is a moment that is over.
type frozen struct {
	t       int64
	seq     uint64
	line    int // of the log, the last before it
	peak    int64
	peaks   map[int]int64
	peaksT  map[int]int64
	seen    map[int]*nearest
	spaces  []*eventlog.SpaceState // in use
	advised advised
}

func (m *series) put(rec eventlog.Record, line int) {
	m.moved = m.moved || changes(rec)
	for m.next < len(m.moments) && m.over(rec) {
		m.freeze()
		m.frozen[m.next-1].line = line - 1
	}
	if r, ok := rec.(*eventlog.Snapshot); ok {
		for _, v := range m.waiting[r.Space] {
			v.put(r, true)
		}
		delete(m.waiting, r.Space)
	}
	m.folder.put(rec, line)
	if r, ok := rec.(*eventlog.Event); ok && makes(r) >= 0 {
		if sp := m.replay.Space(r.Space); sp != nil && wanted(m.pids, sp.PID) {
			m.made = append(m.made, Making{r.Space, r.Seq})
		}
	}
}

// over reports whether rec is the first record behind the next moment.
func (m *series) over(rec eventlog.Record) bool {
	l := *m.folder
	l.at = m.moments[m.next]
	return l.over(rec, 0)
}

// freeze saves what the state of the next moment needs.
func (m *series) freeze() {
	s := m.folder.state
	f := &frozen{t: s.T, seq: s.Seq, line: maxLine, peak: s.peak, peaks: map[int]int64{}, peaksT: map[int]int64{}, seen: map[int]*nearest{}, advised: s.advised.copied()}
	replaced := m.replaced()
	for _, sp := range m.replay.Spaces() {
		if replaced[sp.ID] || !wanted(m.pids, sp.PID) || s.threads.over(sp.ID) {
			continue
		}
		kept := *sp
		kept.Ledger = sp.Ledger.Clone()
		f.spaces = append(f.spaces, &kept)
		f.peaks[sp.ID], f.peaksT[sp.ID] = m.peaks[sp.ID], m.peaksT[sp.ID]
		v := &nearest{}
		if seen := m.seen[sp.ID]; seen != nil {
			v.before = seen.before
		}
		f.seen[sp.ID] = v
		m.waiting[sp.ID] = append(m.waiting[sp.ID], v)
		for e := range kept.Ledger.All {
			s.origins.pinned[e.Origin.Event] = true
			if e.Moved != nil {
				s.origins.pinned[e.Moved.Origin.Event] = true
			}
		}
	}
	m.frozen = append(m.frozen, f)
	m.next++
}

const maxLine = 1<<63 - 1

// state is that of moment i, after the log has been read.
func (m *series) state(i int) *State {
	end := m.folder.state
	if m.chains == nil {
		m.chains, m.unnamed = end.chains, end.unnamed
	}
	if i >= len(m.frozen) {
		m.finish()
		end.makings = m.made
		return end
	}
	f := m.frozen[i]
	m.frozen[i] = nil // it may be much
	s := &State{Moment: m.moments[i], T: f.t, Seq: f.seq, Cut: end.Cut, known: end.known, header: end.header, end: end.end, names: end.names,
		threads: end.threads.asOf(f.line), origins: end.origins, peak: f.peak, advised: f.advised, chains: m.chains, unnamed: m.unnamed}
	l := *m.folder
	l.at, l.state, l.peaks, l.peaksT, l.seen = s.Moment, s, f.peaks, f.peaksT, f.seen
	for _, sp := range f.spaces {
		l.process(sp, false)
	}
	l.sort()
	return s
}

// asOf returns l as it was after a line of the log, except that threads have the names they had at their end.
func (l *threads) asOf(line int) *threads {
	then := &threads{byTID: map[int][]*thread{}, bySpace: map[int][]*thread{}}
	copies := map[*thread]*thread{}
	for tid, list := range l.byTID {
		for _, x := range list {
			if x.began > line {
				continue
			}
			c := *x
			if x.gone > line {
				c.ended, c.End, c.gone = false, 0, 0
			}
			copies[x] = &c
			then.byTID[tid] = append(then.byTID[tid], &c)
		}
	}
	for space, list := range l.bySpace {
		for _, x := range list {
			if c := copies[x]; c != nil {
				then.bySpace[space] = append(then.bySpace[space], c)
			}
		}
	}
	return then
}
