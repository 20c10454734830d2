package mm

import (
	"cmp"
	"slices"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// Late is a call that the kernel has served but that has not been given to Apply yet: the kernel's view already shows
// its effect, the ledger does not.
type Late struct {
	Op  *vm.Op
	Ret Return
}

// before says what is known of pages as they were before a late call changed them.
type before uint8

const (
	unknown  before = iota
	free            // not mapped: the kernel chose the place
	mapped          // mapped: the call would have failed otherwise
	replaced        // unknown, but nothing of it is left
)

// Asked lists the ranges of the kernel's view that ApplyAmong will read for a call.
func (s *Space) Asked(op *vm.Op, ret Return) (ranges []vm.Range) {
	switch {
	case op.Kind == vm.OpUnmap:
		return []vm.Range{op.Range}
	case op.Kind == vm.OpRemap && ret.Errno == 0:
		return []vm.Range{op.Range, vm.RangeOf(ret.Value, op.NewLen)}
	case op.Kind == vm.OpAioDestroy && ret.Errno == 0, replacesAttached(op) && ret.Errno != 0: // see goneFrom
		return []vm.Range{{Start: vm.PageDown(op.Addr), End: vm.AddressMax}}
	}
	s.reach(op, &ret, func(r vm.Range, _ before) { ranges = append(ranges, r) })
	if op.Kind == vm.OpBrk && s.brk == 0 && len(ranges) > 0 { // and what is above the heap; see goneFrom
		ranges[0].End = vm.AddressMax
	}
	return ranges
}

// reach calls visit for each range that a call has changed, with what is known of its pages before the call. What the
// arguments and the result do not say is taken from the ledger. The ledger may lack mappings made since, but then the
// calls that made them are late as well and come first.
func (s *Space) reach(op *vm.Op, ret *Return, visit func(vm.Range, before)) {
	at := op.Range
	placed := func(r vm.Range, anywhere bool) {
		if anywhere {
			visit(r, free)
		} else {
			visit(r, replaced)
		}
	}
	switch {
	case op.Kind == vm.OpBrk:
		if op.Addr != 0 && ret.Errno == 0 {
			s.reachBreak(ret.Value, visit)
		}
		return
	case ret.Errno != 0:
		switch {
		case !s.Asks(op, *ret) || op.Kind == vm.OpUnmap:
		case op.Kind == vm.OpShmAttach:
			visit(vm.Range{Start: vm.PageDown(op.Addr), End: vm.AddressMax}, unknown) // how long the segment is nothing tells
		default:
			visit(at, unknown)
			visit(op.Target, unknown)
		}
		return
	}
	switch op.Kind {
	case vm.OpMap:
		page := s.pageSize(op)
		if ret.Own.File.Backed() {
			page = max(page, s.view.PageSize(ret.Own))
		}
		placed(vm.RangeOf(ret.Value, (op.Len+page-1)&^(page-1)), !op.Fixed || op.NoReplace)
	case vm.OpUnmap:
		visit(at, replaced)
	case vm.OpProtect:
		if op.Prot&(vm.ProtGrowsDown|vm.ProtGrowsUp) != 0 {
			if e, ok := s.ledger.At(at.Start); ok {
				at.Start, at.End = min(at.Start, e.Start), max(at.End, e.End)
			}
		}
		visit(at, mapped)
	case vm.OpRemap:
		to := vm.RangeOf(ret.Value, op.NewLen)
		if op.Len != 0 && to.Start == at.Start {
			visit(vm.Range{Start: min(at.End, to.End), End: at.End}, mapped)
			visit(vm.Range{Start: min(at.End, to.End), End: to.End}, free)
			return
		}
		visit(at, mapped)
		placed(to, op.Target.Empty())
	case vm.OpShmAttach:
		placed(s.from(ret.Value, ret.Own.Range), op.Addr == 0)
	case vm.OpAioSetup:
		placed(s.from(ret.Value, ret.Own.Range), true)
	case vm.OpShadowStack:
		placed(vm.RangeOf(ret.Value, op.Len), op.Addr == 0)
	case vm.OpShmDetach:
		var segment vm.File
		for i, r := range s.Attached(op.Addr) {
			e, _ := s.ledger.At(r.Start)
			if i == 0 {
				segment = e.File
			}
			if e.File == segment {
				visit(r, replaced) // some of it may have been gone
			} else {
				visit(r, unknown) // it stays, if something of the other was left
			}
		}
	case vm.OpAioDestroy:
		ring := s.from(op.Addr, vm.Range{})
		visit(ring, replaced)
		visit(vm.Range{Start: ring.End, End: vm.AddressMax}, unknown) // how long the ring was nothing tells; see ringDestroyed
	case vm.OpRemapFile, vm.OpName:
		visit(at, mapped)
	}
}

// from returns known, if it is not empty, else the range from addr to the end of the ledger's entry there, one page
// at least.
func (s *Space) from(addr uint64, known vm.Range) vm.Range {
	if !known.Empty() {
		return known
	}
	r := vm.Range{Start: addr, End: addr + vm.PageSize}
	if e, ok := s.ledger.At(addr); ok {
		r.End = max(r.End, e.End)
	}
	return r
}

// reachBreak is reach for a successful brk(2). If other late brks come before it, it did not begin with the ledger's
// break; the range between the two breaks was then changed by them.
func (s *Space) reachBreak(now uint64, visit func(vm.Range, before)) {
	now = vm.PageUp(now)
	switch old := vm.PageUp(s.brk); {
	case s.brk == 0:
		at := vm.Range{End: now + vm.PageSize} // where the heap begins is not known
		for e := range s.ledger.All {
			if e.File.Path == "[heap]" {
				at.End = max(at.End, e.End)
			}
		}
		at.End = max(at.End, s.lacking(now))
		visit(at, unknown)
	case now >= old:
		visit(vm.Range{Start: old, End: now}, free)
	default:
		visit(vm.Range{Start: now, End: old}, replaced)
	}
}

// hidden is a range of the kernel's view that late calls have changed, and what is known of it before the first of
// them.
type hidden struct {
	vm.Range
	was before
}

// in returns the rows of a range as they were after the kernel had served the call given to Apply, and none after it:
// those that it shows now, except that in ranges changed by late calls the state before them is reconstructed, from
// what reach knows and from the ledger, which already contains the effects that follow from the call's arguments.
func (s *Space) in(at vm.Range) ([]vm.Mapping, error) {
	if s.told == nil {
		return s.view.In(at)
	}
	if s.told.Gone.Overlaps(at) {
		return nil, nil // what is mapped there now is not the call's
	}
	s.hide(at) // first: it asks the view for page sizes, which invalidates rows
	rows, err := s.view.In(at)
	if err != nil || len(s.hidden) == 0 {
		return rows, err
	}
	return vm.Touching(s.behind(rows), at), nil
}

// hides reports whether late calls have changed a part of a range in the kernel's view.
func (s *Space) hides(at vm.Range) bool {
	if s.told == nil {
		return false
	}
	s.hide(at)
	return len(s.hidden) > 0
}

// hide sets s.hidden to the hidden ranges that touch at, ascending and not cut.
func (s *Space) hide(at vm.Range) {
	s.hidden = s.hidden[:0]
	own := s.told.Own
	if own.Overlaps(at) {
		s.hidden = append(s.hidden, hidden{own.Range, mapped})
	}
	for i := range s.late {
		l := &s.late[i]
		s.reach(l.Op, &l.Ret, func(r vm.Range, was before) {
			if r.Overlaps(at) {
				s.hidePart(at, r, was, 0)
			}
		})
	}
	slices.SortFunc(s.hidden, func(a, b hidden) int { return cmp.Compare(a.Start, b.Start) })
}

// hidePart adds the parts of r that are not yet in s.hidden; only the elements from the nth on can overlap r. If an
// added part lies in asked and its former state is unknown, the result of ApplyAmong is in doubt.
func (s *Space) hidePart(asked, r vm.Range, was before, n int) {
	for ; !r.Empty() && n < len(s.hidden); n++ {
		h := s.hidden[n].Range
		if !h.Overlaps(r) {
			continue
		}
		if h.End < r.End {
			s.hidePart(asked, vm.Range{Start: h.End, End: r.End}, was, n+1)
		}
		r.End = h.Start // empty where nothing is left below
	}
	if r.Empty() {
		return
	}
	s.hidden = append(s.hidden, hidden{r, was})
	if r = r.Intersect(asked); was == unknown || was == replaced || was == mapped && !s.ledger.Covered(r) {
		s.doubt = s.doubt || !r.Empty()
		s.lasting = s.lasting || !r.Empty() && was != replaced
	}
}

// behind returns rows with the hidden ranges replaced by what was there before the late calls.
func (s *Space) behind(rows []vm.Mapping) []vm.Mapping {
	out := s.rows[:0]
	for _, row := range rows {
		rest := row.Range
		for _, h := range s.hidden {
			if !h.Overlaps(rest) {
				continue
			}
			if rest.Start < h.Start {
				out = append(out, row.Slice(vm.Range{Start: rest.Start, End: h.Start}))
			}
			rest.Start = min(h.End, rest.End)
		}
		if !rest.Empty() {
			out = append(out, row.Slice(rest))
		}
	}
	for _, h := range s.hidden {
		if own := &s.told.Own; own.Covers(h.Range) {
			out = append(out, own.Slice(h.Range))
			continue
		}
		if h.was == free {
			continue
		}
		s.ledger.Overlapping(h.Range, func(e ledger.Entry) bool {
			out = append(out, e.Mapping.Slice(h.Range))
			return true
		})
	}
	slices.SortFunc(out, func(a, b vm.Mapping) int { return cmp.Compare(a.Start, b.Start) })
	s.rows = out
	return out
}

// follows reports whether the effect of a call follows from the ledger, its arguments, its result and Return.Own, so
// that hidden ranges of the kernel's view do no harm.
func (ret *Return) follows(op *vm.Op) bool {
	switch op.Kind {
	case vm.OpMap, vm.OpShmAttach, vm.OpAioSetup, vm.OpProtect, vm.OpRemap, vm.OpRemapFile, vm.OpShmDetach, vm.OpAioDestroy:
		return ret.Errno == 0
	case vm.OpUnmap:
		return true
	}
	return false
}
