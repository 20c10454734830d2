package record

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

// noticeGrowth asks the kernel how far the growing mappings reach and enters what is new as drift.
func (r *Recorder) noticeGrowth(sp *space) {
	kept := sp.growing[:0]
	for _, g := range sp.growing {
		if r.grow(sp, g) {
			kept = append(kept, g)
		}
	}
	sp.growing = kept
}

// growthBefore enters the growth of a stack that a call is about to change: what lies below the part that
// the call works on may stay, and could not be told from anything else afterwards.
func (r *Recorder) growthBefore(sp *space, op *vm.Op) {
	for _, g := range sp.growing {
		e, ok := sp.ledger.At(g.top)
		if ok && (!g.main || op.Range.Overlaps(e.Range) || op.Target.Overlaps(e.Range)) {
			r.grow(sp, g)
		}
	}
}

// grow enters the growth of one mapping; false where it is gone.
func (r *Recorder) grow(sp *space, g growing) bool {
	e, ok := sp.ledger.At(g.top)
	if !ok || !g.main && e.Origin.Event != g.origin {
		return false
	}
	low := e
	for {
		below, ok := sp.ledger.At(low.Start - 1)
		if !ok || below.File != e.File || below.File.Backed() ||
			below.Origin != e.Origin && below.Origin.Cause != ledger.StackGrowth {
			break
		}
		low = below
	}
	row, ok := sp.view.At(low.Start - 1)
	if !ok || row.File.Backed() {
		return true
	}
	grown := vm.Range{Start: row.Start, End: low.Start}
	sp.ledger.Overlapping(grown, func(e ledger.Entry) bool {
		grown.Start = max(grown.Start, e.End)
		return true
	})
	if grown.Empty() {
		return true
	}
	n := ledger.Entry{Mapping: vm.Mapping{Range: grown, Perms: row.Perms, File: e.File},
		Origin: ledger.Origin{Cause: ledger.StackGrowth}}
	changes := sp.ledger.Add(n, nil)
	r.drift(sp, changes, "stack growth", g.origin)
	return true
}

// fillGrown enters as drift those pages of a range that the ledger lacks although a call has just found
// them mapped.
func (r *Recorder) fillGrown(sp *space, at vm.Range) {
	r.noticeGrowth(sp)
	if sp.ledger.Covered(at) {
		return
	}
	var holes []vm.Range
	next := at.Start
	sp.ledger.Overlapping(at, func(e ledger.Entry) bool {
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
		rows, err := sp.view.In(h)
		if err != nil {
			return
		}
		changes = sp.ledger.Reconcile(h, rows, o, changes)
	}
	if len(changes) > 0 {
		r.drift(sp, changes, "unknown", 0)
	}
}
