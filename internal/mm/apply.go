package mm

import (
	"slices"
	"syscall"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// Return is how a call came back.
type Return struct {
	// Event is the number of the call's event, the origin of what it mapped.
	Event uint64
	// Value is the address that the call returned, or wrote where it was told to (io_setup(2)), or the program
	// break after brk(2).
	Value uint64
	// Errno is 0 on success. brk(2) has failed where it left the break elsewhere than it was asked to.
	Errno syscall.Errno
	// ReadImpliesExec is READ_IMPLIES_EXEC of the thread's personality(2).
	ReadImpliesExec bool
	// Own and Gone are the results of Space.Own, taken soon after the call. Only ApplyAmong uses them.
	Own  vm.Mapping
	Gone vm.Range
}

// Outcome is what a call did.
type Outcome struct {
	// Changes is the list that Apply was given, with the call's changes appended.
	Changes []ledger.Change
	// Drifts came to light before the call's own changes. They are valid until the next call of a method.
	Drifts []Drift
	// Unseen reports whether the kernel could not be asked what the call has done, or shows what another call has done.
	// Changes then lists what the arguments ask for, or leaves out what is unknown, or has the other's, too.
	Unseen bool
}

// Apply enters in the ledger what a returned call has done, and appends the changes to dst. If Asks reports true, no
// conflicting call may have begun since, as Apply then reads the view. Kinds of operations that change no mapping
// change nothing.
func (s *Space) Apply(op *vm.Op, ret Return, dst []ledger.Change) Outcome {
	s.blind, s.drifts = false, s.drifts[:0]
	changes := s.apply(op, &ret, dst)
	return Outcome{Changes: changes, Drifts: s.drifts, Unseen: s.blind}
}

// ApplyAmong is Apply for a call after which the kernel has already served others. late holds all of those up to the
// last reading of the view, in the kernel's order; Apply must not take their effects for the call's own.
func (s *Space) ApplyAmong(op *vm.Op, ret Return, late []Late, dst []ledger.Change) Outcome {
	s.ret = ret
	s.told, s.late = &s.ret, late
	s.blind, s.drifts = false, s.drifts[:0]
	s.cutOwn(op)
	s.doubt, s.lasting = false, false
	follows := s.ret.follows(op) || s.stopsAtHole(op, &s.ret)
	changes := s.apply(op, &s.ret, dst)
	s.told, s.late = nil, nil
	if s.doubt && !follows {
		s.blind = true
		s.uncertain = s.uncertain || s.lasting || op.Kind == vm.OpBrk
	}
	return Outcome{Changes: changes, Drifts: s.drifts, Unseen: s.blind}
}

func (s *Space) apply(op *vm.Op, ret *Return, dst []ledger.Change) (changes []ledger.Change) {
	o := ledger.Origin{Event: ret.Event}
	if ret.Errno != 0 {
		return s.failed(op, ret, o, dst)
	}
	switch op.Kind {
	case vm.OpMap:
		dst = s.mapped(op, ret, o, dst)
	case vm.OpUnmap:
		dst = s.ledger.Remove(op.Range, dst)
	case vm.OpProtect:
		dst = s.protected(op, ret, o, dst)
	case vm.OpBrk:
		dst = s.broke(ret, o, dst)
	case vm.OpRemap:
		dst = s.remapped(op, ret.Value, o, dst)
	case vm.OpShmAttach, vm.OpAioSetup:
		dst = s.appeared(vm.Range{Start: ret.Value, End: vm.AddressMax}, o, dst)
	case vm.OpShmDetach:
		dst = s.detached(op.Addr, o, dst)
	case vm.OpAioDestroy:
		dst = s.ringDestroyed(op.Addr, o, dst)
	case vm.OpShadowStack:
		// The kernel may show this shadow stack and the one above it as one row.
		dst = s.appeared(vm.RangeOf(ret.Value, op.Len), o, dst)
	case vm.OpRemapFile:
		if s.hides(op.Range) {
			dst = s.remappedFile(op, o, dst)
		}
		dst = s.reread([]vm.Range{op.Range}, o, dst)
	case vm.OpMapVdso:
		dst = s.reread([]vm.Range{everything}, o, dst)
	case vm.OpName:
		dst = s.renamed(op.Range, dst)
	}
	return dst
}

// failed enters what a call has done although it returned an error: some fail after changing a part of their range.
func (s *Space) failed(op *vm.Op, ret *Return, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	switch op.Kind {
	case vm.OpUnmap, vm.OpProtect, vm.OpMap, vm.OpRemap, vm.OpRemapFile, vm.OpName:
	case vm.OpShmAttach:
		if !replacesAttached(op) {
			return dst
		}
	case vm.OpBrk:
		if s.brk == 0 && ret.Value < vm.AddressMax { // else a filter of the program has answered
			s.brk = ret.Value // the unchanged break
		}
		return dst
	default:
		return dst
	}
	if op.Kind == vm.OpMap && !op.Fixed || op.NoReplace && ret.Errno == syscall.EEXIST {
		return dst
	}
	if s.stopsAtHole(op, ret) && s.hides(op.Range) {
		dst = s.ledger.Protect(s.beforeHole(op.Range), ret.perms(op.Prot), dst)
	}
	if op.Kind == vm.OpProtect && s.hides(op.Range) {
		for _, h := range s.hidden {
			s.blind = s.blind || h.was == mapped && !s.stopsAtHole(op, ret) // a late mprotect has covered how far this one came
		}
	}
	ranges := []vm.Range{op.Range}
	if !op.Target.Empty() {
		ranges = append(ranges, op.Target)
	}
	if op.Kind == vm.OpShmAttach {
		ranges = s.goneFrom(vm.PageDown(op.Addr))
		if end := ranges[0].End; s.hides(vm.Range{Start: end, End: end + vm.PageSize}) {
			s.blind, s.uncertain = true, true // how far it reached nothing tells
		}
	}
	if len(s.late) == 0 {
		s.noticeGrowth() // which would be taken for the call's
	}
	n := len(dst)
	dst = s.reread(ranges, o, dst)
	if !canHaveDone(op, dst[n:]) {
		// Another call that failed half way has done it, before which the kernel could not be asked: calls of other
		// threads were served behind that one.
		s.blind, s.uncertain = true, true
	}
	return dst
}

// canHaveDone reports whether an operation that failed may have made these changes: a mapping at a fixed address makes room
// first, mprotect(2) goes from mapping to mapping, and neither does anything else.
func canHaveDone(op *vm.Op, changes []ledger.Change) bool {
	return !slices.ContainsFunc(changes, func(c ledger.Change) bool {
		switch op.Kind {
		case vm.OpMap, vm.OpUnmap, vm.OpShmAttach:
			return c.Now != nil
		case vm.OpProtect:
			return c.Was == nil || c.Now == nil
		}
		return false
	})
}

// stopsAtHole reports whether an mprotect has failed with ENOMEM at the first unmapped page: the pages below it have
// been changed (mm/mprotect.c, do_mprotect_pkey).
func (s *Space) stopsAtHole(op *vm.Op, ret *Return) bool {
	return op.Kind == vm.OpProtect && ret.Errno == syscall.ENOMEM && op.Prot&(vm.ProtGrowsDown|vm.ProtGrowsUp) == 0 &&
		!s.ledger.Covered(op.Range)
}

// beforeHole returns the part of r below its first unmapped page.
func (s *Space) beforeHole(r vm.Range) vm.Range {
	next := r.Start
	s.ledger.Overlapping(r, func(e ledger.Entry) bool {
		if e.Start > next {
			return false
		}
		next = e.End
		return true
	})
	return vm.Range{Start: r.Start, End: min(next, r.End)}
}

// appeared enters a mapping that starts at at.Start and ends at at.End or earlier. Its size and attributes are read
// from the kernel's view.
func (s *Space) appeared(at vm.Range, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	row, ok := s.at(at.Start)
	if !ok {
		s.blind, s.uncertain = true, true
		return dst
	}
	for row.End < at.End {
		// Another thread's madvise may have split it into several rows already.
		next, ok := s.at(row.End)
		if !ok || next.Start != row.End || !row.SameKind(next) {
			break
		}
		row.End = next.End
	}
	return s.ledger.Add(ledger.Entry{Mapping: row.Slice(at), Origin: o}, dst)
}

// reread makes the ledger equal to the kernel's view in some ranges, and attributes the differences to origin o.
func (s *Space) reread(ranges []vm.Range, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	for _, at := range ranges {
		if at.Empty() {
			continue
		}
		rows, err := s.in(at)
		if err != nil {
			s.blind, s.uncertain = true, true
			continue
		}
		dst = s.ledger.Reconcile(at, rows, o, dst)
	}
	return dst
}

// renamed takes over the names that prctl(PR_SET_VMA) gave.
func (s *Space) renamed(at vm.Range, dst []ledger.Change) []ledger.Change {
	rows, err := s.in(at)
	if err != nil {
		return dst
	}
	for _, row := range rows {
		x := row.Intersect(at)
		dst = s.ledger.SetFile(x, row.File, dst)
	}
	return dst
}
