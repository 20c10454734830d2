package segment

import (
	"cmp"
	"maps"
	"slices"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// Begin begins the next segment: it appends its header and the state.
func (c *Cutter) Begin(dst []byte) []byte {
	c.forget()
	c.origins.forget(c.replay)
	c.number++
	c.here, c.counts = newPresent(), eventlog.End{}
	header := c.header
	g := c.last
	g.Number, g.Events, g.T = c.number, c.replay.Seq(), c.t
	header.Segment = &g
	dst = eventlog.AppendRecord(dst, &header)
	for _, n := range c.notes {
		dst = eventlog.AppendRecord(dst, n)
	}
	for _, s := range c.replay.Spaces() {
		dst = c.space(dst, s)
	}
	threads := slices.SortedFunc(maps.Values(c.threads), func(a, b *eventlog.Thread) int {
		return cmp.Or(cmp.Compare(a.T, b.T), cmp.Compare(a.TID, b.TID))
	})
	for _, t := range threads {
		line := *t
		line.What = "start"
		dst = eventlog.AppendRecord(dst, &line)
	}
	for _, s := range c.replay.Spaces() {
		for _, told := range c.content[s.ID] {
			dst = c.told(dst, s, told)
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(c.origins.by)) {
		o := c.origins.by[seq]
		dst = c.tell(dst, o.stack)
		dst = eventlog.AppendOrigin(dst, o.line, o.name)
	}
	return dst
}

// forget drops the address spaces that have no threads any more.
func (c *Cutter) forget() {
	c.left = 0
	for id, sp := range c.spaces {
		if sp.used && sp.users <= 0 {
			delete(c.spaces, id)
			delete(c.content, id)
			c.replay.Forget(id)
		}
	}
}

// space appends the line of an address space as it is now.
func (c *Cutter) space(dst []byte, s *eventlog.SpaceState) []byte {
	sp := c.spaces[s.ID]
	if sp == nil {
		return dst
	}
	line := sp.Space
	line.Cause, line.After, line.Blind = "segment", s.Last, sp.blind
	line.Environment = s.Environment
	if line.Parent != nil && c.spaces[*line.Parent] == nil {
		line.Parent = nil
	}
	for e := range s.Ledger.All {
		line.Mappings = append(line.Mappings, eventlog.MappingOf(&e))
	}
	return eventlog.AppendRecord(dst, &line)
}

// told appends the findings in a space that are still valid: no page of theirs has been changed since.
func (c *Cutter) told(dst []byte, s *eventlog.SpaceState, r *eventlog.Content) []byte {
	line := *r
	line.After = s.Last
	line.Findings = nil
	for _, f := range r.Findings {
		if !slices.ContainsFunc(f.Parts, func(p eventlog.FindingPart) bool { return !untouched(s.Ledger, p) }) {
			line.Findings = append(line.Findings, f)
		}
	}
	if len(line.Findings) == 0 {
		return dst
	}
	return eventlog.AppendRecord(dst, &line)
}

// untouched reports whether all of a part was mapped before the recording began.
func untouched(l *ledger.Ledger, p eventlog.FindingPart) bool {
	r := vm.Range{Start: uint64(p.Start), End: uint64(p.End)}
	if !l.Covered(r) {
		return false
	}
	for at := r.Start; at < r.End; {
		e, ok := l.At(at)
		if !ok || e.Origin.Cause != ledger.BeforeAttach {
			return false
		}
		at = e.End
	}
	return true
}
