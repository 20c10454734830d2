package eventlog

import (
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

func (c *checker) event(r *Event) {
	c.events++
	last := c.p.seq
	c.p.seq = r.Seq // for problems reported from here on
	c.must(r.Seq == last+1, "event %d: the one before it is %d", r.Seq, last)
	c.must(r.T >= c.eventT, "event %d: t %d is before %d, that of the event before it", r.Seq, r.T, c.eventT)
	c.eventT = max(c.eventT, r.T)
	c.must(r.PID > 0 && r.TID > 0, "event %d: thread %d of process %d: not a positive number", r.Seq, r.TID, r.PID)
	c.must(r.Call != "", "event %d: no call", r.Seq)
	c.must((r.Error == "") == (r.Result != nil), "event %d: %s has neither or both of result and error", r.Seq, r.Call)
	c.must(r.Error == "" || c.errnos[r.Error], "event %d: %q is no errno's name", r.Seq, r.Error)
	s := c.p.Space(r.Space)
	if !c.must(s != nil, "event %d: space %d is not known", r.Seq, r.Space) {
		return
	}
	c.actor(r)
	c.must(!c.leaving[r.Space] || r.Error == "" && (r.Call == "execve" || r.Call == "execveat"), "event %d: %s, behind a snapshot of cause exec", r.Seq, r.Call)
	delete(c.leaving, r.Space)
	if !c.changes("event", r.Seq, r.Changes) {
		return
	}
	c.changeOrigins(r)
	c.arguments(r)
	strict := !r.Uncertain && !c.users[r.Space].isBlind()
	if strict {
		c.fits(r, s)
		c.call(r, s)
	}
	if err := c.p.Put(r); err != nil {
		c.problem("event %d: %s: %v", r.Seq, r.Call, err)
		return
	}
	c.codeChanged(r.Space, r.Changes)
	if strict && r.Error == "" && r.Result != nil {
		c.afterCall(r, s)
	}
	switch r.Call {
	case "madvise":
		c.advice(r)
	case "mremap":
		c.grown(r, s)
	}
}

// changes checks that every change is well formed (whole pages, a mapping that the kernel could show), whatever was
// mapped before, and reports whether the list can be applied to the ledger.
func (c *checker) changes(what string, seq uint64, changes []Change) bool {
	for i := range changes {
		ch := &changes[i]
		if !c.must(ch.Start < ch.End && (ch.Start|ch.End)%vm.PageSize == 0, "%s %d: change %d: %v to %v is not a range of whole pages", what, seq, i, ch.Start, ch.End) ||
			!c.must(ch.Was != nil || ch.Now != nil, "%s %d: change %d: nothing became nothing", what, seq, i) {
			return false
		}
	}
	list, err := c.conv.list(changes)
	if err != nil {
		c.problem("%s %d: %v", what, seq, err)
		return false
	}
	for i := range list {
		was, now := list[i].Was, list[i].Now
		c.must(was == nil || now == nil || was.Mapping != now.Mapping || was.Origin != now.Origin, "%s %d: change %d: it changes nothing", what, seq, i)
		for _, e := range []*ledger.Entry{list[i].Was, list[i].Now} {
			c.must(e == nil || possible(e), "%s %d: change %d: no mapping can be (%v)", what, seq, i, e)
		}
	}
	return true
}

// possible reports whether the kernel can show such a mapping: file offsets are whole pages, mappings without a file
// have none, and a file has a name.
func possible(e *ledger.Entry) bool {
	return e.Offset%vm.PageSize == 0 && (e.Offset == 0 || e.File.Backed()) && (e.File.Inode == 0 || e.File.Path != "")
}

// changeOrigins checks who is said to have made the pages.
func (c *checker) changeOrigins(r *Event) {
	for i := range r.Changes {
		was, now := r.Changes[i].Was, r.Changes[i].Now
		switch {
		case now == nil:
		case was == nil:
			c.must(now.Origin != nil && *now.Origin == r.Seq, "event %d: change %d: %s made pages be mapped, and their origin is another", r.Seq, i, r.Call)
			c.must(now.MovedFrom == nil || r.Call == "mremap", "event %d: change %d: %s moves nothing", r.Seq, i, r.Call)
		case r.Call != "remap_file_pages":
			c.must(sameOrigin(was, now), "event %d: change %d: %s changes the origin of pages that stay", r.Seq, i, r.Call)
		}
	}
}

// sameOrigin reports whether a and b were made by the same event, in the same way.
func sameOrigin(a, b *Attr) bool {
	equal := func(x, y *uint64) bool { return x == y || x != nil && y != nil && *x == *y }
	if !equal(a.Origin, b.Origin) || a.OriginCause != b.OriginCause || (a.MovedFrom == nil) != (b.MovedFrom == nil) {
		return false
	}
	if a.Exec != nil && b.Exec != nil && *a.Exec != *b.Exec {
		return false
	}
	return a.MovedFrom == nil || a.MovedFrom.Start == b.MovedFrom.Start && equal(a.MovedFrom.Origin, b.MovedFrom.Origin)
}

// number is the value of the argument as the kernel saw it.
func (r *Event) number(name string) (uint64, bool) {
	a, ok := r.Args.Get(name)
	return uint64(a.Value), ok && a.Text == ""
}

// span is the range that two arguments name, its length rounded up to whole pages.
func (r *Event) span(addr, length string) (vm.Range, bool) {
	a, ok := r.number(addr)
	n, ok2 := r.number(length)
	x := vm.RangeOf(a, n)
	return x, ok && ok2 && (n == 0 || !x.Empty())
}

// within checks that all changes lie in one of the ranges.
func (c *checker) within(r *Event, ranges ...vm.Range) {
	for i := range r.Changes {
		x := vm.Range{Start: uint64(r.Changes[i].Start), End: uint64(r.Changes[i].End)}
		ok := false
		for _, y := range ranges {
			ok = ok || y.Covers(x)
		}
		c.must(ok, "event %d: change %d: %v is outside of what %s was asked for (%v)", r.Seq, i, x, r.Call, ranges)
	}
}

// kinds checks which of removals (now null), additions (was null) and edits (neither) a call can do.
func (c *checker) kinds(r *Event, removal, addition, edit bool) {
	for i := range r.Changes {
		ch := &r.Changes[i]
		switch {
		case ch.Now == nil:
			c.must(removal, "event %d: change %d: %s%s cannot unmap", r.Seq, i, failed(r), r.Call)
		case ch.Was == nil:
			c.must(addition, "event %d: change %d: %s%s cannot map", r.Seq, i, failed(r), r.Call)
		default:
			c.must(edit, "event %d: change %d: %s%s cannot change what stays", r.Seq, i, failed(r), r.Call)
		}
	}
}

func failed(r *Event) string {
	if r.Error != "" {
		return "a failed "
	}
	return ""
}

// advice remembers the ranges that madvise(2) excludes from forks. ENOMEM means that holes were skipped and the rest
// was done (mm/madvise.c, madvise_walk_vmas).
func (c *checker) advice(r *Event) {
	const dontFork = 10 // MADV_DONTFORK of asm-generic/mman-common.h
	a, _ := r.Args.Get("advice")
	x, ok := r.span("addr", "length")
	if r.Error != "" && r.Error != "ENOMEM" || !ok || a.Value != dontFork && a.Text != "MADV_DONTFORK" {
		return
	}
	x.Start = vm.PageDown(x.Start)
	c.keepApart(r.Space, x)
}

func (c *checker) keepApart(space int, x vm.Range) {
	if c.apart[space] == nil {
		c.apart[space] = ledger.New()
	}
	c.apart[space].Add(ledger.Entry{Mapping: vm.Mapping{Range: x}}, nil)
}

// grown: pages that mremap(2) adds to a mapping excluded from forks are excluded too.
func (c *checker) grown(r *Event, s *SpaceState) {
	for i := range r.Changes {
		ch := &r.Changes[i]
		if ch.Was != nil || ch.Now == nil || ch.Now.MovedFrom != nil {
			continue
		}
		x := vm.Range{Start: uint64(ch.Start), End: uint64(ch.End)}
		before, ok := s.Ledger.At(x.Start - 1)
		if !ok {
			continue
		}
		before.Start, before.End = x.Start-vm.PageSize, x.Start
		if c.forkMayDiffer(s, &before, nil) {
			c.keepApart(r.Space, x)
		}
	}
}

func (c *checker) drift(r *Drift) {
	c.drifts++
	s := c.p.Space(r.Space)
	if !c.must(s != nil, "drift: space %d is not known", r.Space) {
		return
	}
	c.must(r.Guess != "", "drift: no guess")
	c.must(len(r.Changes) > 0, "drift: no changes")
	if !c.changes("drift after", r.After, r.Changes) {
		return
	}
	for i := range r.Changes {
		was, now := r.Changes[i].Was, r.Changes[i].Now
		switch {
		case now == nil:
		case was == nil:
			c.must(now.Origin == nil && (now.OriginCause == "drift" || now.OriginCause == "stack growth"),
				"drift: change %d: its pages have an origin, though no traced call explains them", i)
			c.must((now.OriginCause == "stack growth") == (r.Guess == "stack growth"), "drift: change %d: %q is no %q", i, now.OriginCause, r.Guess)
		default:
			c.must(sameOrigin(was, now) || now.Origin == nil, "drift: change %d: pages that stay have another origin", i)
		}
	}
	if r.Guess == "stack growth" {
		c.growth(r, s)
	}
	if err := c.p.Put(r); err != nil {
		c.problem("drift: %v", err)
	}
	c.codeChanged(r.Space, r.Changes)
}

// growth checks that a stack growth drift adds pages below a stack, or below a mapping made with MAP_GROWSDOWN by the
// event that the drift names.
func (c *checker) growth(r *Drift, s *SpaceState) {
	for i := range r.Changes {
		ch := &r.Changes[i]
		if !c.must(ch.Was == nil && ch.Now != nil, "drift: change %d: is no growth of a stack", i) {
			return
		}
		above, ok := s.Ledger.At(uint64(ch.End))
		c.must(ok, "drift: change %d: a stack grows, and none is above %v", i, ch.End)
		switch {
		case r.Beside == nil:
			c.must(ch.Now.Path == "[stack]" || ch.Now.Path == above.File.Path, "drift: change %d: a stack grows that is %q", i, ch.Now.Path)
		case c.before(*r.Beside): // its flags are in an earlier segment
		case above.Origin.Cause == ledger.FromEvent:
			c.must(above.Origin.Event == *r.Beside, "drift: change %d: grows beside event %d, and above it is event %d", i, *r.Beside, above.Origin.Event)
			c.must(c.growsDown[*r.Beside], "drift: change %d: event %d did not map with MAP_GROWSDOWN", i, *r.Beside)
		default:
			c.must(above.Origin.Cause == ledger.StackGrowth, "drift: change %d: grows beside event %d, and above it is %v", i, *r.Beside, above.Origin)
			c.must(c.growsDown[*r.Beside], "drift: change %d: event %d did not map with MAP_GROWSDOWN", i, *r.Beside)
		}
	}
}

// span is the range of a change.
func (c *Change) span() vm.Range { return vm.Range{Start: uint64(c.Start), End: uint64(c.End)} }
