package order

import (
	"slices"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/vm"
)

// Sequence is the numbering of one address space's events. The zero value has none.
type Sequence struct{ last uint64 }

// Last is the number of the last event whose place is settled, 0 for none. A record that refers to it is
// given its seq when it leaves the queue.
func (s *Sequence) Last() uint64 { return s.last }

// PendingEvent is an event whose place is settled, with its own memory for what it points to. It belongs to the
// caller from [Queue.Begin] until it is put, then to the queue, which reuses it.
type PendingEvent struct {
	eventlog.Event
	Room Room
	// Owner is for the caller of Overfull; the queue does not use it.
	Owner any

	number    uint64
	previous  uint64 // the last event of the address space before this one
	sequence  *Sequence
	at        vm.Range // the range that it removes, if it is open
	open      bool
	withdrawn bool
}

// Room is preallocated memory for what an event points to. What does not fit is allocated.
type Room struct {
	Result  eventlog.Result
	Stack   int
	Args    [6]eventlog.Arg
	Changes [4]eventlog.Change
	Attrs   [8]eventlog.Attr
	Origins [8]uint64
	Execs   [8]eventlog.ExecSeq
}

// Number is the event's place among all events of the recording: its seq, except that numbers given up count.
func (e *PendingEvent) Number() uint64 { return e.number }

// Previous is the number of the event of the same address space before this one, 0 for none.
func (e *PendingEvent) Previous() uint64 { return e.previous }

// Withdrawn reports whether the event's number was given up because it held back too much.
func (e *PendingEvent) Withdrawn() bool { return e.withdrawn }

// Begin settles the place of an event: after all events begun so far. It may be put later, and other records before
// it, but events must be put, or opened, in the order in which they were begun.
func (q *Queue) Begin(s *Sequence) *PendingEvent {
	var e *PendingEvent
	if n := len(q.free); n > 0 {
		e = q.free[n-1]
		q.free = q.free[:n-1]
	} else {
		e = &PendingEvent{}
	}
	q.numbers++
	e.number, e.previous, e.sequence = q.numbers, s.last, s
	e.open, e.withdrawn, e.Owner = false, false, nil
	e.Event = eventlog.Event{Seq: e.number}
	s.last = e.number
	return e
}

// Open puts an event whose call, a removal of what is mapped at a range, has not returned. What is put after it waits
// until Close.
func (q *Queue) Open(e *PendingEvent, at vm.Range) {
	e.open, e.at = true, at
	q.opens++
	q.held = append(q.held, held{&e.Event, e})
}

// Close is called when an open event has been completed.
func (q *Queue) Close(e *PendingEvent) {
	e.open = false
	q.opens--
	q.drain()
}

// Overfull returns the open event behind which too many lines wait, or nil.
func (q *Queue) Overfull() *PendingEvent {
	if len(q.held) <= holdLines {
		return nil
	}
	return q.FirstOpen()
}

// FirstOpen returns the open event behind which all that is held waits, or nil.
func (q *Queue) FirstOpen() *PendingEvent {
	if len(q.held) == 0 {
		return nil
	}
	return q.held[0].event
}

// Withdraw gives up an open event's number because it holds back too much, and puts drift in its place. Later events
// that touch the same pages become uncertain. The event itself is put again, with a new number, when its call
// returns.
func (q *Queue) Withdraw(e *PendingEvent, drift *eventlog.Drift) {
	e.withdrawn = true
	q.replace(e, drift)
}

// Undo gives up an open event's number because its call was not made after all.
func (q *Queue) Undo(e *PendingEvent) {
	if !e.withdrawn {
		q.replace(e, nil)
	}
}

// replace gives up an open event's number and puts another record, or none, in its place.
func (q *Queue) replace(e *PendingEvent, drift *eventlog.Drift) {
	i, _ := slices.BinarySearch(q.givenUp, e.number)
	q.givenUp = slices.Insert(q.givenUp, i, e.number)
	if e.sequence.last == e.number {
		e.sequence.last = e.previous
	}
	kept := q.held[:0]
	for _, h := range q.held {
		if h.event != e {
			e.fixReferences(&h)
			kept = append(kept, h)
		} else if drift != nil {
			kept = append(kept, held{record: drift})
		}
	}
	clear(q.held[len(kept):])
	q.held = kept
	q.opens--
	q.drain()
}

// fixReferences makes a held record refer to the event before e instead of to e, and marks an event that touches the
// pages of a withdrawn e as uncertain.
func (e *PendingEvent) fixReferences(h *held) {
	after := func(n *uint64) {
		if *n == e.number {
			*n = e.previous
		}
	}
	switch rec := h.record.(type) {
	case *eventlog.Event:
		if rec.Space != e.Space {
			return
		}
		for _, c := range rec.Changes {
			if e.withdrawn && (vm.Range{Start: uint64(c.Start), End: uint64(c.End)}).Overlaps(e.at) {
				rec.Uncertain = true
			}
		}
		after(&h.event.previous)
	case *eventlog.Drift:
		after(&rec.After)
	case *eventlog.Snapshot:
		after(&rec.After)
	case *eventlog.Content:
		after(&rec.After)
	case *eventlog.Advice:
		after(&rec.After)
	case *eventlog.Space:
		after(&rec.After)
	}
}
