package record

import (
	"slices"
	"syscall"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

type change = ledger.Change

func origin(number uint64) ledger.Origin { return ledger.Origin{Event: number} }

// withdraw takes an open event out of the order because it holds back too many lines. What it removed
// from the ledger at its entry stands there as drift; the event comes when the call ends. It and the
// events that overlap it are uncertain.
func (r *Recorder) withdraw(f *flight) {
	f.withdrawn, f.uncertain, f.task.space.uncertain = true, true, true
	r.drifts++
	r.replace(f, &eventlog.Drift{T: f.record.T, After: f.previous, Space: f.task.space.id,
		Changes: r.words.changes(f.taken), Guess: "uncertain order"})
}

// undo takes back a removal whose call the kernel has skipped: the thread was killed before it began.
func (r *Recorder) undo(f *flight) {
	if f.settled == 0 || f.record == nil {
		return
	}
	for _, c := range f.taken {
		f.task.space.ledger.Add(*c.Was, nil)
	}
	if !f.withdrawn {
		r.replace(f, nil)
	}
	f.record, f.settled = nil, 0
}

// replace gives up an open event's number and puts another record, or none, in its place.
func (r *Recorder) replace(f *flight, drift *eventlog.Drift) {
	o, sp, b := &r.box, f.task.space, f.record
	i, _ := slices.BinarySearch(o.withdrawn, f.settled)
	o.withdrawn = slices.Insert(o.withdrawn, i, f.settled)
	if sp.lastEvent == f.settled {
		sp.lastEvent = f.previous
	}
	kept := o.held[:0]
	for _, h := range o.held {
		if h.box != b {
			r.overtake(&h, f, sp.id)
			kept = append(kept, h)
		} else if drift != nil {
			kept = append(kept, heldRecord{record: drift})
		}
	}
	clear(o.held[len(kept):])
	o.held = kept
	o.opens--
	o.drain()
}

// overtake corrects a record that stood behind a withdrawn event.
func (r *Recorder) overtake(h *heldRecord, f *flight, space int) {
	after := func(n *uint64) {
		if *n == f.settled {
			*n = f.previous
		}
	}
	switch rec := h.record.(type) {
	case *eventlog.Event:
		if rec.Space != space {
			return
		}
		for _, c := range rec.Changes {
			if f.withdrawn && (vm.Range{Start: uint64(c.Start), End: uint64(c.End)}).Overlaps(f.at) {
				rec.Uncertain = true
			}
		}
		if h.box.open && h.box.flight != nil && h.box.flight.previous == f.settled {
			h.box.flight.previous = f.previous
		}
	case *eventlog.Drift:
		after(&rec.After)
	case *eventlog.Snapshot:
		after(&rec.After)
	case *eventlog.Space:
		after(&rec.After)
	}
}

// finishWithdrawn writes the event of a call that was withdrawn and has ended.
func (r *Recorder) finishWithdrawn(f *flight, result int64, errno syscall.Errno) {
	number := r.number(f.task.space, f)
	b := r.begin(f, number)
	var changes []change
	if errno != 0 {
		for _, c := range f.taken {
			changes = append(changes, change{Range: c.Range, Now: c.Was})
		}
	}
	r.finish(f, b, result, errno, changes)
	r.box.put(&b.Event, b)
}
