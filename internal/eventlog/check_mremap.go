package eventlog

import (
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// mremap checks that a successful mremap(2) did what its arguments say and nothing else, and that the pages it moved
// were mapped where it says.
func (c *checker) mremap(r *Event, s *SpaceState) {
	old, ok := r.span("old_address", "old_size")
	size, ok2 := r.number("new_size")
	flags, ok3 := r.number("flags")
	if !ok || !ok2 || !ok3 {
		return
	}
	target := vm.RangeOf(uint64(r.Result.Value), size)
	c.must(flags&^(vm.RemapMayMove|vm.RemapFixed|vm.RemapDontUnmap) == 0, "event %d: mremap with flags %#x succeeded", r.Seq, flags)
	c.must(flags&(vm.RemapFixed|vm.RemapDontUnmap) == 0 || flags&vm.RemapMayMove != 0, "event %d: mremap with flags %#x succeeded", r.Seq, flags)
	c.must(target.Start == old.Start || flags&vm.RemapMayMove != 0, "event %d: mremap without MREMAP_MAYMOVE moved %v to %v", r.Seq, old, target)
	if to, ok := r.number("new_address"); ok && flags&vm.RemapFixed != 0 {
		c.must(to == target.Start, "event %d: mremap with MREMAP_FIXED to %v returned %v", r.Seq, Hex(to), Hex(target.Start))
	}
	stays := old.Empty() || flags&vm.RemapDontUnmap != 0
	moved := target.Start != old.Start
	huge := true // sizes are rounded up to huge pages
	for i := range r.Changes {
		x := r.Changes[i].span()
		huge = huge && x.Start%hugePage == 0 && x.End%hugePage == 0
	}
	if huge && len(r.Changes) > 0 {
		return
	}
	for i := range r.Changes {
		ch := &r.Changes[i]
		x := ch.span()
		if ch.Now == nil {
			fixed := target.Covers(x) && moved && flags&vm.RemapFixed != 0
			c.must(fixed || old.Covers(x) && !stays, "event %d: change %d: mremap with flags %#x unmapped %v, of %v and %v", r.Seq, i, flags, x, old, target)
			continue
		}
		if !c.must(target.Covers(x), "event %d: change %d: mremap mapped %v outside of %v", r.Seq, i, x, target) {
			continue
		}
		c.movedFrom(r, i, s, old, target)
	}
	if moved && !old.Empty() && !stays {
		left := uint64(0)
		s.Ledger.Overlapping(old, func(e ledger.Entry) bool {
			left += e.Intersect(old).Len()
			return true
		})
		for i := range r.Changes {
			if ch := &r.Changes[i]; ch.Now == nil && old.Covers(ch.span()) {
				left -= min(left, ch.span().Len())
			}
		}
		c.must(left == 0, "event %d: mremap moved %v to %v, and leaves %d bytes of it", r.Seq, old, target, left)
	}
}

// movedFrom checks the former address that a change gives for its pages, and that they were mapped there.
func (c *checker) movedFrom(r *Event, i int, s *SpaceState, old, target vm.Range) {
	ch := &r.Changes[i]
	x, m := ch.span(), ch.Now.MovedFrom
	source := old
	if old.Empty() { // the mapping there is duplicated, as far as it reaches
		if e, ok := s.Ledger.At(old.Start); ok {
			source.End = e.End
		}
	}
	carried := target.Start != old.Start && x.Start-target.Start < source.Len()
	if !c.must((m != nil) == carried, "event %d: change %d: mremap of %v to %v maps %v, and moved_from stands there or is missing", r.Seq, i, old, target, x) || m == nil {
		return
	}
	from := vm.Range{Start: uint64(m.Start), End: uint64(m.Start) + x.Len()}
	if !c.must(from.Start-old.Start == x.Start-target.Start, "event %d: change %d: mremap moved %v to %v, but said %v to %v", r.Seq, i, m.Start, ch.Start, old, target) {
		return
	}
	e, err := c.conv.entry(ch.Start, ch.End, ch.Now)
	if err != nil {
		return // reported
	}
	e.Mapping.Range = from
	covered := uint64(0)
	s.Ledger.Overlapping(from, func(was ledger.Entry) bool {
		covered += was.Intersect(from).Len()
		return c.must(e.Agrees(was.Mapping), "event %d: change %d: mremap moved (%v), and there stood (%v)", r.Seq, i, e.Mapping, was.Mapping)
	})
	c.must(covered == from.Len(), "event %d: change %d: mremap moved %v, and not all of it was mapped", r.Seq, i, from)
}
