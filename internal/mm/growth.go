package mm

import (
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// growing is a mapping that the kernel extends downwards on a page fault, without a call: the main stack,
// or one made with MAP_GROWSDOWN.
type growing struct {
	origin uint64 // the event that made it, 0 for the main stack
	top    uint64 // an address in its last page
	main   bool
}

// NoticeGrowth reads how far the growing mappings extend in the kernel's view, and enters the growth. The result is
// valid until the next call of a method.
func (s *Space) NoticeGrowth() []Drift {
	s.drifts = s.drifts[:0]
	s.noticeGrowth()
	return s.drifts
}

func (s *Space) noticeGrowth() {
	kept := s.growing[:0]
	for _, g := range s.growing {
		if s.grow(g) {
			kept = append(kept, g)
		}
	}
	s.growing = kept
}

// GrowthBefore enters the growth of a stack that a call is about to change: pages below the call's range may remain,
// and could not be recognised as growth later. The result is valid until the next call of a method.
func (s *Space) GrowthBefore(op *vm.Op) []Drift {
	s.drifts = s.drifts[:0]
	for _, g := range s.growing {
		e, ok := s.ledger.At(g.top)
		if ok && (!g.main || op.Range.Overlaps(e.Range) || op.Target.Overlaps(e.Range)) {
			s.grow(g)
		}
	}
	return s.drifts
}

// grow enters the growth of one mapping into the ledger, and reports whether the mapping still exists.
func (s *Space) grow(g growing) bool {
	e, ok := s.ledger.At(g.top)
	if !ok || !g.main && e.Origin.Event != g.origin {
		return false
	}
	low := e
	for {
		below, ok := s.ledger.At(low.Start - 1)
		if !ok || below.File != e.File || below.File.Backed() ||
			below.Origin != e.Origin && below.Origin.Cause != ledger.StackGrowth && !(g.main && below.Origin.Cause == ledger.Drift) {
			break
		}
		low = below
	}
	row, ok := s.at(low.Start - 1)
	if !ok || row.File.Backed() {
		return true
	}
	grown := vm.Range{Start: row.Start, End: low.Start}
	s.ledger.Overlapping(grown, func(e ledger.Entry) bool {
		grown.Start = max(grown.Start, e.End)
		return true
	})
	if grown.Empty() {
		return true
	}
	n := ledger.Entry{Mapping: vm.Mapping{Range: grown, Perms: row.Perms, File: e.File},
		Origin: ledger.Origin{Cause: ledger.StackGrowth}}
	changes := s.ledger.Add(n, nil)
	s.drifts = append(s.drifts, Drift{Changes: changes, Guess: "stack growth", Beside: g.origin})
	return true
}

// fillGrown enters as drift those pages of a range that the ledger lacks although a call has just found
// them mapped.
func (s *Space) fillGrown(at vm.Range) {
	s.noticeGrowth()
	if s.ledger.Covered(at) {
		return
	}
	var holes []vm.Range
	next := at.Start
	s.ledger.Overlapping(at, func(e ledger.Entry) bool {
		if e.Start > next {
			holes = append(holes, vm.Range{Start: next, End: e.Start})
		}
		next = e.End
		return true
	})
	if next < at.End {
		holes = append(holes, vm.Range{Start: next, End: at.End})
	}
	o := ledger.Origin{Cause: ledger.Drift}
	var changes []ledger.Change
	for _, h := range holes {
		rows, err := s.in(h)
		if err != nil {
			return
		}
		changes = s.ledger.Reconcile(h, rows, o, changes)
	}
	if len(changes) > 0 {
		s.drifts = append(s.drifts, Drift{Changes: changes, Guess: NoGuess})
	}
}
