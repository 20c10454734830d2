package analysis

import (
	"cmp"
	"slices"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/strace"
)

// An Advised is what one chain of calls did by one sort of advice (madvise(2)) to what is in memory.
type Advised struct {
	Advice string `json:"advice"` // by the name of the man page: "MADV_DONTNEED"
	Who
	Where    string `json:"where,omitempty"`  // file and line of the first of the program's own calls, where they are known
	Times    int    `json:"times"`            // calls that succeeded
	Failed   int    `json:"failed,omitempty"` // calls that did not
	Bytes    int64  `json:"bytes"`            // of the ranges of those that succeeded
	GaveBack *int64 `json:"gave_back"`        // bytes that were in memory before those calls and not behind them; null where nobody counted
	Brought  *int64 `json:"brought"`          // bytes that were in memory behind them and not before; null where nobody counted
	Left     *int64 `json:"left"`             // bytes of those ranges that were in memory behind the calls; null where nobody counted
	First    int64  `json:"first"`            // t of the first
	Last     int64  `json:"last"`             // t of the last
}

// advisedKey is what is added up while a log is read.
type advisedKey struct {
	space, stack, tid int
	advice            int64
}

// advised adds up advice, in the order in which it was first given.
type advised struct {
	by   map[advisedKey]*Advised
	list []advisedKey
}

// newAdvised returns an Advised with the kind of advice and the time of r that counts no call yet.
func newAdvised(r *eventlog.Advice) *Advised {
	return &Advised{Advice: strace.Value("madvise", "advice", uint64(r.Kind())), First: r.T, GaveBack: new(int64), Brought: new(int64), Left: new(int64)}
}

// put counts a call of madvise. If apart is set, the calls of each thread are counted separately, because a filter may
// leave some threads out later.
func (a *advised) put(r *eventlog.Advice, apart bool) {
	k := advisedKey{space: r.Space, advice: r.Kind()}
	if apart {
		k.tid = r.TID
	}
	if r.Stack != nil {
		k.stack = *r.Stack
	}
	x := a.by[k]
	if x == nil {
		x = newAdvised(r)
		if a.by == nil {
			a.by = map[advisedKey]*Advised{}
		}
		a.by[k] = x
		a.list = append(a.list, k)
	}
	x.count(r)
}

// count adds one call to x.
func (x *Advised) count(r *eventlog.Advice) {
	x.Last = r.T
	if r.Error != "" {
		x.Failed++
		return
	}
	x.Times++
	at, _ := r.Range()
	x.Bytes += int64(at.Len())
	if r.Before == nil || r.Left == nil {
		x.GaveBack, x.Brought, x.Left = nil, nil, nil
	}
	if x.GaveBack != nil { // else one call was not counted
		*x.GaveBack += max(*r.Before-*r.Left, 0)
		*x.Brought += max(*r.Left-*r.Before, 0)
		*x.Left += *r.Left
	}
}

// add adds the calls of another Advised.
func (x *Advised) add(o *Advised) {
	x.Times, x.Failed, x.Bytes = x.Times+o.Times, x.Failed+o.Failed, x.Bytes+o.Bytes
	x.First, x.Last = min(x.First, o.First), max(x.Last, o.Last)
	if x.GaveBack == nil || o.GaveBack == nil {
		x.GaveBack, x.Brought, x.Left = nil, nil, nil
		return
	}
	x.GaveBack, x.Brought, x.Left = plus(x.GaveBack, o.GaveBack), plus(x.Brought, o.Brought), plus(x.Left, o.Left)
}

// SumAdvised returns how many bytes all of list gave back and brought in, nil if one of them was not counted.
func SumAdvised(list []Advised) (gave, brought *int64) {
	gave, brought = new(int64), new(int64)
	for i := range list {
		if list[i].GaveBack == nil {
			return nil, nil
		}
		*gave += *list[i].GaveBack
		*brought += *list[i].Brought
	}
	return gave, brought
}

// forget drops what is known of a space.
func (a *advised) forget(space int) {
	a.list = slices.DeleteFunc(a.list, func(k advisedKey) bool {
		if k.space == space {
			delete(a.by, k)
		}
		return k.space == space
	})
}

// of returns the advice given in the space of p: what gave back most first, then what brought in most.
func (a *advised) of(s *State, p *process) []Advised {
	type name struct{ advice, who string }
	at := map[name]int{}
	var list []Advised
	for _, k := range a.list {
		x := *a.by[k]
		if k.space != p.ID || s.only != nil && (s.only.Kind != nil || s.only.File != nil) || !s.choosesCall(maxLine, x.Last, k.tid, k.stack) {
			continue
		}
		x.Who = s.made(ledger.FromEvent, "madvise", k.stack, p.Exe)
		n := name{x.Advice, x.Who.Text(0)}
		i, known := at[n]
		if !known {
			x.Where = s.where(k.stack, x.Who)
			at[n] = len(list)
			list = append(list, x)
			continue
		}
		list[i].add(&x)
	}
	slices.SortStableFunc(list, func(a, b Advised) int {
		if a.Times == 0 || b.Times == 0 {
			return cmp.Compare(b.Times, a.Times) // what only failed is last
		}
		return cmp.Or(cmp.Compare(measured(b.GaveBack), measured(a.GaveBack)), cmp.Compare(measured(b.Brought), measured(a.Brought)), cmp.Compare(b.Bytes, a.Bytes))
	})
	return list
}

// givenBack is how much calls of madvise had given back in the space of p up to the moment of s, nil where that was not counted.
func (s *State) givenBack(p *process) *int64 {
	if p.SpaceState == nil || s.header == nil || s.header.Advice != "counted" {
		return nil
	}
	sum := new(int64)
	for _, k := range s.advised.list {
		if x := s.advised.by[k]; k.space == p.ID && x.GaveBack == nil {
			return nil
		} else if k.space == p.ID {
			*sum += *x.GaveBack
		}
	}
	return sum
}

// advise takes advice up to the moment.
func (l *folder) advise(r *eventlog.Advice, past bool) {
	if past || l.at.Kind == AtTime && r.T > l.at.T {
		return
	}
	l.state.T = max(l.state.T, r.T)
	l.state.advised.put(r, l.keep == 0) // a Recording is about all threads, and there may be millions of them
	if sp := l.replay.Space(r.Space); l.watch != nil && sp != nil {
		l.watch.advised(sp, r)
	}
}
