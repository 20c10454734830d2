package simulation

import (
	"fmt"
	"math/bits"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/mm"
	"github.com/vmblame/vmblame/internal/order"
)

// judge holds what a recording says against the model: the ledger after each step, and the log, which it replays.
type judge struct {
	queue   *order.Queue
	say     func(string, ...any) // where a run is played again: tells what happens
	problem string
	calls64 uint32   // calls made so far
	caller  []uint32 // by event number, the call

	missing set  // touched by calls of which nobody will tell
	unsure  bool // an event was uncertain: what the log says in order cannot be proven any more

	replay *ledger.Ledger // what the log says so far
	seq    uint64
	said   map[eventlog.Record][]ledger.Change
	events uint64 // of the log
}

func newJudge() *judge {
	return &judge{queue: order.NewQueue(), caller: []uint32{0}, said: make(map[eventlog.Record][]ledger.Change)}
}

func (j *judge) fail(format string, args ...any) {
	if j.problem == "" {
		j.problem = fmt.Sprintf(format, args...)
	}
}

func (j *judge) nextCall() uint32 {
	j.calls64++
	return j.calls64
}

// number tells which call an event is of.
func (j *judge) number(event uint64, call uint32) {
	for uint64(len(j.caller)) <= event {
		j.caller = append(j.caller, 0)
	}
	j.caller[event] = call
}

// begun is told of a new address space.
func (j *judge) begun(l *ledger.Ledger) {
	j.queue.Flush()
	j.drain()
	j.replay, j.missing, j.unsure = l.Clone(), 0, false
}

// remember keeps what a record says for when it leaves the queue.
func (j *judge) remember(rec eventlog.Record, changes []ledger.Change) {
	j.said[rec] = append([]ledger.Change(nil), changes...)
}

// lost says that nobody will tell of a call that has changed pages.
func (j *judge) lost(k *kernel, pages set) {
	j.missing |= pages
	for rest := pages; rest != 0; rest &= rest - 1 {
		k.pages[bits.TrailingZeros64(uint64(rest))].by = 0
	}
}

// settled says that ledger and kernel have been made equal; why there was doubt, "" for none.
func (j *judge) settled(why string) {
	j.missing = 0
	j.unsure = j.unsure || why != ""
}

// doubt says that an event is uncertain, before that has left the queue.
func (j *judge) doubt() {
	if !j.unsure {
		j.queue.Flush()
		j.drain()
		j.unsure = true
	}
}

// heal goes on from what is known to be true, where there was doubt: origins that may be wrong count no more, and the
// log is replayed from here.
func (j *judge) heal(l *ledger.Ledger, k *kernel) {
	if !j.unsure {
		return
	}
	j.queue.Flush()
	j.drain()
	for e := range l.All {
		for rest := pagesOf(e.Range); rest != 0; rest &= rest - 1 {
			if p := &k.pages[bits.TrailingZeros64(uint64(rest))]; e.Origin.Cause != ledger.FromEvent || j.caller[e.Origin.Event] != p.by {
				p.by = 0
			}
		}
	}
	j.replay, j.unsure = l.Clone(), false
}

// drifted judges a drift: only what no call tells of may be one.
func (j *judge) drifted(d *mm.Drift) {
	if d.Guess == "stack growth" || d.Guess == "uncertain order" || j.unsure {
		return
	}
	for _, c := range d.Changes {
		if pagesOf(c.Range)&^(j.missing|span(stackLow, stackTop)) != 0 {
			j.fail("drift %q of %v: calls tell of all that happened there", d.Guess, c.Range)
		}
	}
}

// compare holds a ledger against the model, but for pages where calls are under way, and its origins where they are
// certain.
func (j *judge) compare(l *ledger.Ledger, k *kernel, unsettled set, origins bool) {
	open := unsettled | j.missing
	seen := set(0)
	for e := range l.All {
		here := pagesOf(e.Range)
		seen |= here
		call := uint32(0)
		if e.Origin.Cause == ledger.FromEvent {
			call = j.caller[e.Origin.Event]
		}
		for rest := here &^ open; rest != 0; rest &= rest - 1 {
			i := bits.TrailingZeros64(uint64(rest))
			if !k.matches(&e, i) {
				j.fail("page %d is %+v (mapped %v), and the ledger has %v", i, k.pages[i], k.has(i), e)
				return
			}
			if by := k.pages[i].by; by != call && by != 0 && origins && !j.unsure {
				j.fail("page %d is of call %d, and the ledger says of call %d: %v", i, by, call, e)
				return
			}
		}
	}
	for rest := k.mapped &^ (seen | open); rest != 0; rest &= rest - 1 {
		if i := bits.TrailingZeros64(uint64(rest)); !k.pages[i].grown {
			j.fail("page %d is %+v, and the ledger lacks it", i, k.pages[i])
			return
		}
	}
}

// drain reads what has left the queue and replays it.
func (j *judge) drain() {
	for {
		select {
		case b := <-j.queue.Batches():
			for _, rec := range b.Records {
				j.read(rec)
			}
			j.queue.Recycle(b)
		default:
			return
		}
	}
}

func (j *judge) read(rec eventlog.Record) {
	changes := j.said[rec]
	delete(j.said, rec)
	switch rec := rec.(type) {
	case *eventlog.Event:
		j.events++
		if rec.Seq != j.seq+1 {
			j.fail("event %d comes behind event %d", rec.Seq, j.seq)
		}
		j.seq = rec.Seq
		j.unsure = j.unsure || rec.Uncertain
	case *eventlog.Drift:
		if rec.After != j.seq {
			j.fail("drift after %d stands behind event %d", rec.After, j.seq)
		}
	}
	if j.unsure {
		return
	}
	if err := j.replay.Apply(changes); err != nil {
		j.fail("the log: %v", err)
	}
}

// closed is told of the end: the log has told all that the ledger has.
func (j *judge) closed(l *ledger.Ledger) {
	if len(j.said) > 0 {
		j.fail("%d records never left the queue", len(j.said))
	}
	if j.events != j.queue.Events() {
		j.fail("%d events have left the queue, of %d", j.events, j.queue.Events())
	}
	if j.unsure {
		return
	}
	var left, right []ledger.Entry
	for e := range l.All {
		left = append(left, e)
	}
	for e := range j.replay.All {
		right = append(right, e)
	}
	if len(left) != len(right) {
		j.fail("the log ends with %d mappings, the ledger with %d", len(right), len(left))
		return
	}
	for i := range left {
		if left[i].Mapping != right[i].Mapping || left[i].Origin != right[i].Origin {
			j.fail("the log ends with %v, the ledger with %v", right[i], left[i])
		}
	}
}
