package analysis

import (
	"cmp"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// A Survey is the result of one reading of a log: how much happens in it, and the moments that show it best.
type Survey struct {
	Events   int           // mapping calls that the log has
	Moments  []Moment      // ascending: the start, events that are no execve, the end
	Every    bool          // every event that changed something is one of the moments
	Mappings int           // the most mappings at a time, of all processes together
	Advised  []AdvicePoint // what calls of madvise did, by space and time: recorded with --advice
}

// Take reads a log and chooses up to most moments, fewer if the mappings at all of them would add up to more than
// mappings. If there are few enough, it takes all events that changed something. Otherwise it takes some at equal
// distances by number and some by time, and the ones with the most and the least mapped between them. Only events
// with seq from from to to are considered; a to of 0 means up to the last.
func Take(open Open, pids []int, most, mappings int, from, to uint64) (*Survey, error) {
	v := surveyor{pids: pids, replay: eventlog.NewReplay(), all: most, byNumber: buckets{most: most / 4}, byTime: buckets{most: most / 4}, bytes: map[int]int64{}, entries: map[int]int{}, threads: newThreads(), advised: advicePoints{}}
	_, err := each(open, func(rec eventlog.Record, line int) { v.put(rec, from, to) })
	if err != nil {
		return nil, err
	}
	s := &Survey{Events: v.events, Mappings: v.mostEntries, Every: v.all > 0, Advised: v.advised.list()}
	chosen := v.seqs
	if !s.Every {
		chosen = append(v.byNumber.seqs(), v.byTime.seqs()...)
		slices.Sort(chosen)
		chosen = slices.Compact(chosen)
	}
	const least = 8 // with fewer a picture does not show the development
	if n := min(most, max(mappings/max(s.Mappings, 1), least)); len(chosen) > n {
		s.Every = false
		chosen = thin(chosen, n, v.byNumber.highest())
	}
	s.Moments = append(s.Moments, Moment{Kind: AtStart})
	for _, seq := range chosen {
		s.Moments = append(s.Moments, Moment{Kind: AtSeq, Seq: seq})
	}
	s.Moments = append(s.Moments, Moment{})
	return s, nil
}

// thin returns n evenly spaced elements of list, which is ascending, with keep among them.
func thin(list []uint64, n int, keep uint64) []uint64 {
	few := make([]uint64, n)
	for i := range few {
		few[i] = list[(i+1)*len(list)/n-1]
	}
	if i, there := slices.BinarySearch(few, keep); !there {
		few[min(i, n-1)] = keep
	}
	return few
}

// A surveyor makes a Survey.
type surveyor struct {
	pids             []int
	replay           *eventlog.Replay
	threads          *threads
	events           int
	all              int // all events are kept up to this number; 0 once there are more
	seqs             []uint64
	byNumber, byTime buckets
	bytes            map[int]int64 // by space in use
	entries          map[int]int   // by space in use
	sum              int64
	sumEntries       int
	mostEntries      int
	advised          advicePoints
}

func (v *surveyor) put(rec eventlog.Record, from, to uint64) {
	_ = v.replay.Put(rec) // what does not fit is for check to say
	switch r := rec.(type) {
	case *eventlog.Space:
		v.count(r.Space)
		if r.Parent != nil && r.Cause == "exec" {
			if p := v.replay.Space(*r.Parent); p != nil && p.PID == r.PID {
				v.drop(p.ID)
			}
		}
	case *eventlog.Drift:
		v.count(r.Space)
	case *eventlog.Thread:
		if left := v.threads.put(r); left != 0 {
			v.drop(left)
		}
	case *eventlog.Advice:
		if sp := v.replay.Space(r.Space); sp != nil && wanted(v.pids, sp.PID) {
			v.advised.put(r)
		}
	case *eventlog.Event:
		v.events++
		v.count(r.Space)
		if strings.HasPrefix(r.Call, "execve") || len(r.Changes) == 0 || r.Seq < from || to > 0 && r.Seq > to {
			return
		}
		if sp := v.replay.Space(r.Space); sp == nil || !wanted(v.pids, sp.PID) {
			return
		}
		if v.all > 0 {
			if v.seqs = append(v.seqs, r.Seq); len(v.seqs) > v.all {
				v.all, v.seqs = 0, nil
			}
		}
		v.byNumber.put(int64(v.events), r.Seq, v.sum)
		v.byTime.put(r.T, r.Seq, v.sum)
	}
}

// count takes what is mapped in a space after a change of it.
func (v *surveyor) count(space int) {
	sp := v.replay.Space(space)
	if sp == nil || !wanted(v.pids, sp.PID) || v.threads.over(space) {
		return
	}
	b, n := int64(sp.Ledger.Bytes()), sp.Ledger.Len()
	v.sum += b - v.bytes[space]
	v.sumEntries += n - v.entries[space]
	v.bytes[space], v.entries[space] = b, n
	v.mostEntries = max(v.mostEntries, v.sumEntries)
}

func (v *surveyor) drop(space int) {
	v.sum -= v.bytes[space]
	v.sumEntries -= v.entries[space]
	delete(v.bytes, space)
	delete(v.entries, space)
	v.replay.Forget(space)
}

// buckets divides a sequence of unknown length into at most most equal parts.
type buckets struct {
	most  int
	width int64 // 0 before the second
	first int64
	list  []bucket
}

// A bucket summarises one part of the sequence.
type bucket struct {
	last, highest, lowest uint64 // seq
	high, low             int64  // bytes
}

func (b *buckets) put(at int64, seq uint64, bytes int64) {
	if len(b.list) == 0 {
		b.first, b.width = at, 1
	}
	for (at-b.first)/b.width >= int64(b.most) {
		b.double()
	}
	for i := (at - b.first) / b.width; int64(len(b.list)) <= i; {
		b.list = append(b.list, bucket{})
	}
	b.list[(at-b.first)/b.width].add(bucket{seq, seq, seq, bytes, bytes})
}

// double merges every two buckets into one.
func (b *buckets) double() {
	for i := range b.list {
		if i%2 == 1 {
			b.list[i/2].add(b.list[i])
		} else {
			b.list[i/2] = b.list[i]
		}
	}
	b.list = b.list[:(len(b.list)+1)/2]
	b.width *= 2
}

// add adds the events of the next bucket to b.
func (b *bucket) add(o bucket) {
	switch {
	case o.last == 0:
		return
	case b.last == 0:
		*b = o
		return
	}
	b.last = o.last
	if o.high > b.high {
		b.high, b.highest = o.high, o.highest
	}
	if o.low < b.low {
		b.low, b.lowest = o.low, o.lowest
	}
}

// highest is the event at which the most was mapped, 0 for none.
func (b *buckets) highest() (seq uint64) {
	most := int64(-1)
	for _, x := range b.list {
		if x.last != 0 && x.high > most {
			most, seq = x.high, x.highest
		}
	}
	return seq
}

// seqs are the events of which the buckets know, ascending, each once.
func (b *buckets) seqs() (list []uint64) {
	for _, x := range b.list {
		if x.last != 0 {
			list = append(list, x.last, x.highest)
			if cmp.Compare(x.low, x.high) < 0 {
				list = append(list, x.lowest)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
