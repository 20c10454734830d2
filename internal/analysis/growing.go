package analysis

import "github.com/vmblame/vmblame/internal/eventlog"

// A grower adds up the memory that was mapped and unmapped between two moments.
type grower struct {
	state   *State
	from    int64 // changes after it count
	fromSeq uint64
	over    bool
	makers  map[uint64]*growing // by seq of the event that mapped
	advised advised
	spaces  map[int]*growingSpace
}

// growingSpace is one address space whose changes count.
type growingSpace struct {
	*process
	from   int64
	by     map[growingKey]*growing
	all    growing
	open   []*growing // changed by the current event
	memory []MemoryPoint
}

type growingKey struct {
	space, stack int
	call, cause  string
	path         string // of a file
	tid          int    // of the thread, where threads are asked for
}

// growing is what the calls with one stack did.
type growing struct {
	growingKey
	came, went    int64
	times, unmaps int
	live          int64 // net
	before        int64 // net, before the current event
	open          bool  // it is in the open list of its space
	low, high     int64
	rising        bool
	cycles        int
	first         int64 // t of the first bytes mapped
	last          int64 // and last
	points        [points]int64
	// bytes in memory at the first and at the last snapshot between the moments
	firstResident, lastResident int64
}

func (g *grower) put(rec eventlog.Record, _ int) {
	switch r := rec.(type) {
	case *eventlog.Event:
		if g.over = g.over || r.Seq > g.state.Seq; g.over {
			return
		}
		key := growingKey{space: r.Space, call: r.Call, tid: r.TID}
		if r.Stack != nil {
			key.stack = *r.Stack
		}
		g.changes(r.Space, r.T, r.Seq, key, r.Changes)
	case *eventlog.Snapshot:
		if sp := g.spaces[r.Space]; sp != nil && r.T >= g.from && r.T <= g.state.T {
			g.snapshot(sp, r)
		}
	case *eventlog.Advice:
		if !g.over && r.T > g.from && r.T <= g.state.T {
			g.advised.put(r, true)
		}
	case *eventlog.Drift:
		if !g.over && r.T <= g.state.T {
			g.changes(r.Space, r.T, 0, growingKey{space: r.Space, cause: "drift"}, r.Changes)
		}
	}
}

// changes counts the changes of an event, or of a drift (seq 0).
func (g *grower) changes(space int, t int64, seq uint64, key growingKey, list []eventlog.Change) {
	sp := g.spaces[space]
	counts := sp != nil && t > g.from && (seq == 0 || seq > g.fromSeq)
	added := map[*growing]bool{}
	for i := range list {
		c := &list[i]
		n := int64(c.End - c.Start)
		if c.Was != nil && c.Now != nil && c.Was.Origin != nil && c.Now.Origin != nil && *c.Was.Origin == *c.Now.Origin {
			continue
		}
		if c.Was != nil && c.Now != nil && c.Was.Origin == nil && c.Now.Origin == nil {
			continue // the permissions of what was there before
		}
		if c.Was != nil && counts {
			of := g.makers[originSeq(c.Was.Origin)]
			if of == nil || of.space != space {
				k := growingKey{space: space, cause: c.Was.OriginCause, path: filePath(c.Was)}
				if of != nil {
					k = of.growingKey // it is a copy of the parent's
					k.space = space
				}
				of = sp.of(k)
			}
			of.add(t, -n, sp)
			sp.all.add(t, -n, sp)
			of.unmaps++
		}
		if c.Now == nil {
			continue
		}
		k := key
		k.path = filePath(c.Now)
		if c.Now.OriginCause == "stack growth" {
			k.cause = c.Now.OriginCause
		}
		var of *growing
		if sp != nil {
			of = sp.of(k)
		} else {
			of = &growing{growingKey: k}
		}
		if seq != 0 && originSeq(c.Now.Origin) == seq {
			g.makers[seq] = of
		}
		if counts {
			of.add(t, n, sp)
			sp.all.add(t, n, sp)
			if !added[of] {
				added[of] = true
				of.times++
			}
		}
	}
	if counts {
		sp.settle()
	}
}

// settle is called after all changes of an event. Memory that the event moved (by mremap, or where it mapped over a
// part) was not unmapped and mapped again: only the net effect of an event counts as a rise or a fall.
func (sp *growingSpace) settle() {
	for _, x := range sp.open {
		if up := x.live > x.before; x.live != x.before && up != x.rising {
			if x.rising {
				x.cycles++
			}
			x.rising = up
		}
		x.low, x.high = min(x.low, x.live), max(x.high, x.live)
		x.before, x.open = x.live, false
	}
	sp.open = sp.open[:0]
}

// snapshot adds up what each stack has in memory.
func (g *grower) snapshot(sp *growingSpace, r *eventlog.Snapshot) {
	first := len(sp.memory) == 0
	for _, x := range sp.by {
		x.lastResident = 0
	}
	sum := int64(0)
	for i := range r.Mappings {
		m := &r.Mappings[i]
		of := g.makers[originSeq(m.Origin)]
		if of == nil || of.space != sp.ID {
			k := growingKey{space: sp.ID, cause: m.OriginCause, path: filePath(&m.Attr)}
			if of != nil {
				k = of.growingKey
				k.space = sp.ID
			}
			of = sp.of(k)
		}
		of.lastResident += int64(m.RSS)
		sum += int64(m.RSS)
	}
	if first {
		for _, x := range sp.by {
			x.firstResident = x.lastResident
		}
	}
	sp.memory = append(sp.memory, MemoryPoint{r.T, sum})
}

// filePath is the path of a mapped file, "" for memory of no file.
func filePath(a *eventlog.Attr) string {
	if a.Inode != 0 {
		return a.Path
	}
	return ""
}

func (sp *growingSpace) of(k growingKey) *growing {
	x := sp.by[k]
	if x == nil {
		x = &growing{growingKey: k}
		sp.by[k] = x
	}
	return x
}

// add counts n bytes that came, or with a minus went, at t.
func (x *growing) add(t, n int64, sp *growingSpace) {
	if n > 0 {
		x.came += n
		if x.first == 0 {
			x.first = t
		}
		x.last = t
	} else {
		x.went -= n
	}
	x.live += n
	if !x.open {
		x.open = true
		sp.open = append(sp.open, x)
	}
	at := 0
	if span := sp.until - sp.from; span > 0 {
		at = int(min(max(t-sp.from, 0)*points/span, points-1))
	}
	x.points[at] += n
}

// merge adds what another stack did that has the same name.
func (x *growing) merge(o *growing) {
	x.came += o.came
	x.went += o.went
	x.times += o.times
	x.unmaps += o.unmaps
	x.live += o.live
	x.cycles += o.cycles
	x.low, x.high = min(x.low, o.low), max(x.high, o.high)
	if x.first == 0 || o.first != 0 && o.first < x.first {
		x.first = o.first
	}
	x.last = max(x.last, o.last)
	x.firstResident += o.firstResident
	x.lastResident += o.lastResident
	for i, n := range o.points {
		x.points[i] += n
	}
}
