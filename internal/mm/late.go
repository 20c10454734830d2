package mm

import (
	"cmp"
	"slices"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// Late is a call that the kernel has served and that Apply has not been told of yet: the kernel's view is ahead of the
// ledger by what it did.
type Late struct {
	Op  *vm.Op
	Ret Return
}

// before is what is known of pages as they were before a call that has been there.
type before uint8

const (
	unknown  before = iota
	free            // the kernel found them free
	mapped          // the call would have failed else
	replaced        // unknown, and it does not matter: nothing is left of what was there
)

// Asked lists the ranges of which ApplyAmong will ask the kernel for a call.
func (s *Space) Asked(op *vm.Op, ret Return) (ranges []vm.Range) {
	switch {
	case op.Kind == vm.OpUnmap:
		return []vm.Range{op.Range}
	case op.Kind == vm.OpRemap && ret.Errno == 0:
		return []vm.Range{op.Range, vm.RangeOf(ret.Value, op.NewLen)}
	}
	s.reach(op, &ret, func(r vm.Range, _ before) { ranges = append(ranges, r) })
	return ranges
}

// reach tells where a call has been, and what that says of the time before. Where the arguments and the result do not
// tell, the ledger has to: it may lack what was mapped since, but then the calls that mapped it have been there first.
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
		if s.Asks(op, *ret) && op.Kind != vm.OpUnmap {
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
		for _, r := range s.Attached(op.Addr) {
			visit(r, mapped)
		}
	case vm.OpAioDestroy:
		visit(s.from(op.Addr, vm.Range{}), replaced)
	case vm.OpRemapFile, vm.OpName:
		visit(at, mapped)
	}
}

// from is a range that begins at an address: known, or else to the end of what the ledger has there, a page at least.
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

// reachBreak is reach of a successful brk(2). With others late before it the ledger's break is not the one that it
// began with; what lies between was then reached by those.
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
		visit(at, unknown)
	case now >= old:
		visit(vm.Range{Start: old, End: now}, free)
	default:
		visit(vm.Range{Start: now, End: old}, replaced)
	}
}

// hidden is a part of the kernel's view that late calls have changed, and what is known of it before the first of them.
type hidden struct {
	vm.Range
	was before
}

// in returns the rows of a range as they were when the kernel had served the call that Apply is told of, and none
// after it: what the kernel shows now, but where late calls have been what is known of the time before them. There the
// ledger, which already has what follows from the call's arguments, tells the rest.
func (s *Space) in(at vm.Range) ([]vm.Mapping, error) {
	if s.told == nil {
		return s.view.In(at)
	}
	if s.told.Gone.Overlaps(at) {
		return nil, nil // what stands there is another's
	}
	s.hide(at) // first, for it asks the view for the size of pages, and rows live until then
	rows, err := s.view.In(at)
	if err != nil || len(s.hidden) == 0 {
		return rows, err
	}
	return vm.Touching(s.behind(rows), at), nil
}

// hides reports whether late calls hide a part of a range.
func (s *Space) hides(at vm.Range) bool {
	if s.told == nil {
		return false
	}
	s.hide(at)
	return len(s.hidden) > 0
}

// hide finds the hidden ranges, whole, that touch a range, ascending.
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

// hidePart hides r but for what is hidden already, which it holds against the hidden ranges from the nth on. What is
// not known counts where it touches the range that was asked for.
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

// behind returns rows with what is known of hidden ranges in their place.
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

// follows reports whether what a call did follows from the ledger, its arguments, its result and Return.Own where the
// kernel's view is hidden by late calls.
func (ret *Return) follows(op *vm.Op) bool {
	switch op.Kind {
	case vm.OpMap, vm.OpShmAttach, vm.OpAioSetup, vm.OpProtect, vm.OpRemap, vm.OpRemapFile, vm.OpShmDetach, vm.OpAioDestroy:
		return ret.Errno == 0
	case vm.OpUnmap:
		return true
	}
	return false
}
