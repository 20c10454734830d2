package record

import (
	"syscall"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
)

// A call that can only remove mappings, in a space with several threads, takes its range out of the ledger at its
// entry: another thread may map there after the kernel has unmapped it and before we see the return. The call's event
// stays open in the queue until it returns.

// takeEarly settles the place of a call that only removes, at its entry.
func (o *output) takeEarly(sp *space, f *pending) {
	f.event = o.begin(f)
	f.event.Owner = f
	f.taken = sp.mm.RemoveEarly(f.At(), f.taken[:0])
	sp.touchedCode(f.taken)
	o.queue.Open(f.event, f.At())
	if e := o.queue.Overfull(); e != nil {
		o.withdraw(e.Owner.(*pending))
	}
}

// finishEarly completes an event that was opened at the call's entry.
func (o *output) finishEarly(f *pending, result int64, errno syscall.Errno, changes []ledger.Change) {
	b := f.event
	f.event = nil
	if b.Withdrawn() {
		o.finishWithdrawn(f, result, errno)
		return
	}
	o.finish(f, b, result, errno, changes)
	o.queue.Close(b)
}

// withdraw takes an open event out of the order because it holds back too many lines. Its early removal from the
// ledger is logged as drift in its place; the event is written when the call ends. It and the events that overlap it
// are uncertain.
func (o *output) withdraw(f *pending) {
	f.Uncertain = true
	f.space.mm.MarkUncertain()
	o.drifts++
	o.queue.Withdraw(f.event, &eventlog.Drift{T: f.event.T, After: f.event.Previous(), Space: f.space.id,
		Changes: o.encoder.changes(f.taken), Guess: "uncertain order"})
}

// undo takes back a removal whose call the kernel has skipped: the thread was killed before it began.
func (o *output) undo(f *pending) {
	if f.event == nil {
		return
	}
	f.space.mm.PutBack(f.taken)
	o.queue.Undo(f.event)
	f.event = nil
}

// finishWithdrawn writes the event of a call that was withdrawn and has ended.
func (o *output) finishWithdrawn(f *pending, result int64, errno syscall.Errno) {
	b := o.begin(f)
	var changes []ledger.Change
	if errno != 0 {
		for _, c := range f.taken {
			changes = append(changes, ledger.Change{Range: c.Range, Now: c.Was})
		}
	}
	o.finish(f, b, result, errno, changes)
	o.queue.PutEvent(b)
}
