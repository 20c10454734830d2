package eventlog

import "github.com/vmblame/vmblame/internal/ledger"

// segmentChecks is what the check knows of the parts of a recording before a segment.
type segmentChecks struct {
	segment  Segment         // of the header; its numbers are advanced to those that the log defines
	state    bool            // the log begins with the state, which is not over yet
	first    uint64          // seq of the last event before the log
	began    Segment         // as the header has it
	origins  map[uint64]bool // the events that made what the state shows; true once their lines have come
	original uint64          // seq of the last origin line
}

// begins handles the header.
func (c *checker) begins(r *Header) {
	if r.Segment == nil {
		return
	}
	g := *r.Segment
	c.must(g.Number > 1 && g.Spaces >= 0 && g.Modules >= 0 && g.Stacks >= 0, "header: segment %d: no such segment can be", g.Number)
	c.segment, c.began, c.state, c.first, c.origins = g, g, true, g.Events, map[uint64]bool{}
	c.eventT = 0
	_ = c.p.Put(r)
}

// before reports whether the event with that seq is in an earlier segment.
func (c *checker) before(seq uint64) bool { return c.segment.Number > 0 && seq > 0 && seq <= c.first }

// number checks the number of a definition: the next one, or in a segment one of those before it. last is the greatest
// number so far.
func (c *checker) number(what string, n int, last *int, twice bool) {
	known := map[string]int{"space": c.began.Spaces, "module": c.began.Modules, "stack": c.began.Stacks}[what]
	if n > known || n < 1 || twice {
		c.must(n == *last+1 && !twice, "%s %d: the one before it is %d", what, n, *last)
	}
	*last = max(*last, n)
}

// carried checks a space that began before the segment.
func (c *checker) carried(s *SpaceState) {
	if !c.must(c.state, "space %d: was there when the segment began, and comes behind what happened in it", s.ID) {
		return
	}
	c.must(s.ID <= c.began.Spaces, "space %d: was there when the segment began, and the last one was %d", s.ID, c.began.Spaces)
	c.must(s.After <= c.first, "space %d: comes after event %d, and the segment after event %d", s.ID, s.After, c.first)
	for e := range s.Ledger.All {
		o := e.Origin
		if o.Cause == ledger.FromEvent {
			c.origins[o.Event] = false
		}
		if !c.must(o.Event <= c.first && o.Exec <= c.first, "space %d: %v: its origin is %v, behind the segment's beginning", s.ID, e.Range, o) {
			return
		}
	}
}

// origin checks the line of an event that made what the state shows.
func (c *checker) origin(r *Origin) {
	if !c.must(c.state, "origin %d: comes behind what happened in the segment", r.Seq) {
		return
	}
	c.must(r.Seq > c.original && r.Seq <= c.first, "origin %d: the one before it is %d, and the segment begins after event %d", r.Seq, c.original, c.first)
	c.original = r.Seq
	c.must(r.T <= c.began.T, "origin %d: t %d is behind the segment's beginning, %d", r.Seq, r.T, c.began.T)
	c.must(r.Error == "" && r.Result != nil, "origin %d: %s failed", r.Seq, r.Call)
	if r.Event.Stack != nil {
		_, ok := c.stacks[*r.Event.Stack]
		c.must(ok, "origin %d: its stack is not known", r.Seq)
	}
	made := false
	for i := range r.Changes {
		now := r.Changes[i].Now
		made = made || now != nil && now.Origin != nil && *now.Origin == r.Seq
	}
	c.must(made, "origin %d: %s made nothing be mapped", r.Seq, r.Call)
	if _, wanted := c.origins[r.Seq]; wanted {
		c.origins[r.Seq] = true
	}
	if !c.changes("origin", r.Seq, r.Changes) {
		return
	}
	c.arguments(&r.Event)
}

// stateEnds checks, before the first record that is not part of the state, that the records of all origins have come.
func (c *checker) stateEnds(rec Record) {
	if !c.state {
		return
	}
	switch r := rec.(type) {
	case *Event, *Advice, *Drift, *Snapshot, *End:
	case *Space:
		if r.Cause == "segment" {
			return
		}
	default:
		return
	}
	c.state = false
	for seq, told := range c.origins {
		c.must(told, "event %d made what is mapped when the segment begins, and has no line", seq)
	}
	c.origins = nil
}
