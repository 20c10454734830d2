package simulation

import (
	"fmt"
	"math/bits"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/mm"
	"github.com/vmblame/vmblame/internal/order"
)

// judge holds what a recording says against the model: the ledger after each step that may have changed either or
// ended a call, and the log, which it replays.
type judge struct {
	queue   *order.Queue
	runs    int                  // of the queue
	say     func(string, ...any) // where a run is played again: tells what happens
	problem string
	calls64 uint32   // calls made so far
	caller  []uint32 // by event number, the call

	missing set  // touched by calls of which nobody will tell
	unsure  bool // an event was uncertain: what the log says in order cannot be proven any more

	replay *ledger.Ledger // what the log says so far
	seq    uint64
	first  uint64          // what it was at the beginning of the run
	said   []saying        // what the records say: that of a record is number T-1
	spoken []ledger.Change // their changes, one after the other
	events uint64          // that have left the queue

	agreed   agreement
	compared uint64
}

// saying is what a record says, until it leaves the queue.
type saying struct{ from, to int }

// agreement is what the last comparison found equal, so that the next one need only look at what has changed since:
// entries of a ledger are never written to, so one that is the same entry is as it was.
type agreement struct {
	good    set
	entries [pageCount]*ledger.Entry // by its first page
}

// whole is how often a comparison believes nothing of what the ones before it found, and the log is read.
const whole = 64

// begin makes j ready for a run. A queue that is empty again serves the next one, which spares the memory of its events.
func (j *judge) begin(say func(string, ...any)) {
	if j.runs++; j.queue == nil || j.runs == whole {
		*j = judge{queue: order.NewQueue(), caller: append(j.caller[:0], 0), said: j.said, spoken: j.spoken}
	}
	*j = judge{queue: j.queue, runs: j.runs, say: say, caller: j.caller, said: j.said[:0], spoken: j.spoken[:0], seq: j.seq, first: j.seq, events: j.events}
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
	j.replay, j.missing, j.unsure, j.agreed = l.Clone(), 0, false, agreement{}
}

// rememberEvent keeps what an event says for when it leaves the queue.
func (j *judge) rememberEvent(e *eventlog.Event, changes []ledger.Change) { e.T = j.remember(changes) }

// rememberDrift does so for a drift.
func (j *judge) rememberDrift(d *eventlog.Drift, changes []ledger.Change) { d.T = j.remember(changes) }

func (j *judge) remember(changes []ledger.Change) (number int64) {
	from := len(j.spoken)
	j.spoken = append(j.spoken, changes...)
	j.said = append(j.said, saying{from, len(j.spoken)})
	return int64(len(j.said))
}

// recall returns what a record says, once.
func (j *judge) recall(number int64) []ledger.Change {
	if number <= 0 || j.said[number-1].from < 0 {
		j.fail("a record has left the queue that was not put, or twice")
		return nil
	}
	said := j.said[number-1]
	j.said[number-1] = saying{-1, -1}
	return j.spoken[said.from:said.to]
}

// lost says that nobody will tell of a call that has changed pages.
func (j *judge) lost(k *kernel, pages set) {
	j.missing |= pages
	k.dirty |= pages
	k.forgotten++
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
	k.forgotten++
	for e := range l.Entries {
		for rest := pagesOf(e.Range); rest != 0; rest &= rest - 1 {
			if p := &k.pages[bits.TrailingZeros64(uint64(rest))]; e.Origin.Cause != ledger.FromEvent || j.caller[e.Origin.Event] != p.by {
				p.by = 0
			}
		}
	}
	j.replay, j.unsure, j.agreed = l.Clone(), false, agreement{}
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

// compare holds the ledger of the recording against the model.
func (j *judge) compare(l *ledger.Ledger, k *kernel, unsettled set) {
	if j.compared++; j.compared%whole == 0 {
		j.agreed = agreement{}
		j.queue.Flush()
		j.drain()
	}
	j.agreed.good &^= k.dirty
	k.dirty = 0
	j.agree(&j.agreed, l, k, unsettled, true)
}

// compareWhole holds any ledger against its model.
func (j *judge) compareWhole(l *ledger.Ledger, k *kernel, unsettled set, origins bool) {
	j.agree(&agreement{}, l, k, unsettled, origins)
}

// agree holds a ledger against the model, but for pages where calls are under way, and its origins where they are
// certain.
func (j *judge) agree(a *agreement, l *ledger.Ledger, k *kernel, unsettled set, origins bool) {
	open := unsettled | j.missing
	seen, bytes := set(0), uint64(0)
	for e := range l.Entries {
		here := pagesOf(e.Range)
		bytes += e.Len()
		if here == 0 || seen >= here&-here { // the entries before are all below
			j.fail("the ledger has %v out of its order, or outside of the address space", e)
			return
		}
		seen |= here
		first := bits.TrailingZeros64(uint64(here))
		if a.entries[first] != e {
			a.good &^= here
			for rest := here; rest != 0; rest &= rest - 1 {
				a.entries[bits.TrailingZeros64(uint64(rest))] = nil
			}
			a.entries[first] = e
		}
		unseen := here &^ (open | a.good)
		if unseen == 0 {
			continue
		}
		call := uint32(0)
		if e.Origin.Cause == ledger.FromEvent {
			call = j.caller[e.Origin.Event]
		}
		for rest := unseen; rest != 0; rest &= rest - 1 {
			i := bits.TrailingZeros64(uint64(rest))
			if !k.has(i) || !k.pages[i].matches(e, i) {
				j.fail("page %d is %+v (mapped %v), and the ledger has %v", i, k.pages[i], k.has(i), e)
				return
			}
			if by := k.pages[i].by; by != call && by != 0 && origins && !j.unsure {
				j.fail("page %d is of call %d, and the ledger says of call %d: %v", i, by, call, e)
				return
			}
		}
		a.good |= unseen
	}
	a.good &= seen
	if bytes != l.Bytes() {
		j.fail("the ledger counts %d bytes, and has %d", l.Bytes(), bytes)
	}
	for rest := k.mapped &^ (seen | open); rest != 0; rest &= rest - 1 {
		if i := bits.TrailingZeros64(uint64(rest)); !k.pages[i].grown {
			j.fail("page %d is %+v, and the ledger lacks it", i, k.pages[i])
			return
		}
	}
}

// effect holds what an event says that its call did against what it did. That it has given permissions which a call that
// failed half way gave just before may be said: nobody can tell.
func (j *judge) effect(c *request, changes []ledger.Change) {
	done := j.missing
	for n := len(changes) - 1; n >= 0 && !j.unsure; n-- {
		now, same := changes[n].Now, changes[n].Was != nil && changes[n].Now != nil
		for rest := pagesOf(changes[n].Range) &^ done; rest != 0; rest &= rest - 1 {
			i := bits.TrailingZeros64(uint64(rest))
			if mapped := c.mapped>>i&1 != 0; c.touched>>i&1 == 0 && !same || mapped != (now != nil) || mapped && !c.left[i].matches(now, i) {
				j.fail("call %d (%v) left page %d as %+v (touched %b, mapped %b), and its event says %v", c.id, c.op.Kind, i, c.left[i], c.touched, c.mapped, now)
				return
			}
		}
		done |= pagesOf(changes[n].Range)
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
	var changes []ledger.Change
	switch rec := rec.(type) {
	case *eventlog.Event:
		changes = j.recall(rec.T)
		j.events++
		if rec.Seq != j.seq+1 {
			j.fail("event %d comes behind event %d", rec.Seq, j.seq)
		}
		j.seq = rec.Seq
		j.unsure = j.unsure || rec.Uncertain
	case *eventlog.Drift:
		changes = j.recall(rec.T)
		if rec.After != j.seq && (rec.After != 0 || j.seq != j.first) {
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
	for _, said := range j.said {
		if said.from >= 0 {
			j.fail("a record never left the queue: %v", j.spoken[said.from:said.to])
		}
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
