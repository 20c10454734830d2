package record

import (
	"syscall"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
)

// withdraw takes an open event out of the order because it holds back too many lines. What it removed
// from the ledger at its entry stands there as drift; the event comes when the call ends. It and the
// events that overlap it are uncertain.
func (r *Recorder) withdraw(f *pending) {
	f.Uncertain = true
	f.space.mm.MarkUncertain()
	r.drifts++
	r.queue.Withdraw(f.event, &eventlog.Drift{T: f.event.T, After: f.event.Previous(), Space: f.space.id,
		Changes: r.encoder.changes(f.taken), Guess: "uncertain order"})
}

// undo takes back a removal whose call the kernel has skipped: the thread was killed before it began.
func (r *Recorder) undo(f *pending) {
	if f.event == nil {
		return
	}
	f.space.mm.PutBack(f.taken)
	r.queue.Undo(f.event)
	f.event = nil
}

// finishWithdrawn writes the event of a call that was withdrawn and has ended.
func (r *Recorder) finishWithdrawn(f *pending, result int64, errno syscall.Errno) {
	b := r.begin(f)
	var changes []ledger.Change
	if errno != 0 {
		for _, c := range f.taken {
			changes = append(changes, ledger.Change{Range: c.Range, Now: c.Was})
		}
	}
	r.finish(f, b, result, errno, changes)
	r.queue.PutEvent(b)
}
