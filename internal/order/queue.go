package order

import (
	"sort"

	"github.com/vmblame/vmblame/internal/eventlog"
)

const (
	holdLines = 100_000
	batchSize = 256
	// batchQueue bounds what is buffered between the tracer and a slow disk: 32 batches are about 6 MiB.
	batchQueue = 32
)

// Queue brings records into the order of the log and hands them on in batches. The log has its events in the
// kernel's order, without a gap: an event whose place is settled at its call's entry is open until the call
// returns, and what comes after it waits, up to 100,000 lines. Begin, Open, Close, Overfull, FirstOpen, Withdraw, Undo,
// Put, Define and Flush belong to one goroutine; Send, Batches and Recycle may be called from others.
type Queue struct {
	out   chan *Batch
	spare chan *Batch
	cur   *Batch
	free  []*PendingEvent
	held  []held // records from the first open event on
	opens int

	numbers uint64   // how many have been given out
	givenUp []uint64 // numbers given up, ascending; see seq
}

// held is a record that waits behind an open event.
type held struct {
	record eventlog.Record
	event  *PendingEvent // nil if the record is no event
}

// Batch is a group of records handed on together. They belong to the queue again once it is recycled.
type Batch struct {
	Records []eventlog.Record
	events  []*PendingEvent
}

// NewQueue returns an empty queue.
func NewQueue() *Queue {
	return &Queue{out: make(chan *Batch, batchQueue), spare: make(chan *Batch, batchQueue+4), cur: &Batch{}}
}

// Put appends a record that is no event.
func (q *Queue) Put(rec eventlog.Record) { q.put(rec, nil) }

// PutEvent appends an event whose call has returned.
func (q *Queue) PutEvent(e *PendingEvent) { q.put(&e.Event, e) }

func (q *Queue) put(rec eventlog.Record, e *PendingEvent) {
	if q.opens == 0 {
		q.send(rec, e)
		return
	}
	q.held = append(q.held, held{rec, e})
}

// Define sends a record that others refer to ahead of what is held: a definition only has to come before its uses.
func (q *Queue) Define(rec eventlog.Record) { q.send(rec, nil) }

// drain sends the records that come before the first open event.
func (q *Queue) drain() {
	n := 0
	for _, h := range q.held {
		if h.event != nil && h.event.open {
			break
		}
		q.send(h.record, h.event)
		n++
	}
	if n == len(q.held) {
		clear(q.held)
		q.held = q.held[:0]
		return
	}
	q.held = q.held[n:]
}

func (q *Queue) send(rec eventlog.Record, e *PendingEvent) {
	if len(q.givenUp) > 0 {
		q.renumber(rec)
	}
	q.cur.Records = append(q.cur.Records, rec)
	if e != nil {
		q.cur.events = append(q.cur.events, e)
	}
	if len(q.cur.Records) >= batchSize {
		q.Flush()
	}
}

// Flush hands on the collected records. It blocks while the reader of Batches is far behind.
func (q *Queue) Flush() {
	if len(q.cur.Records) == 0 {
		return
	}
	q.out <- q.cur
	select {
	case b := <-q.spare:
		q.free = append(q.free, b.events...)
		b.Records, b.events = b.Records[:0], b.events[:0]
		q.cur = b
	default:
		q.cur = &Batch{}
	}
}

// Send hands on records that have no place in the order, behind the batches that were flushed before. It may
// be called from any goroutine, and blocks as Flush does.
func (q *Queue) Send(records ...eventlog.Record) { q.out <- &Batch{Records: records} }

// End says that nothing more is put or sent.
func (q *Queue) End() { close(q.out) }

// Batches is the channel of the batches, in order; End closes it.
func (q *Queue) Batches() <-chan *Batch { return q.out }

// Recycle gives back a batch whose records nobody needs any more.
func (q *Queue) Recycle(b *Batch) {
	select {
	case q.spare <- b:
	default:
	}
}

// Events is the number of events in the log once all that were begun have been put.
func (q *Queue) Events() uint64 { return q.numbers - uint64(len(q.givenUp)) }

// seq turns an event's number into its seq: the numbers given up leave no gap.
func (q *Queue) seq(number uint64) uint64 {
	return number - uint64(sort.Search(len(q.givenUp), func(i int) bool { return q.givenUp[i] >= number }))
}

// renumber replaces numbers by seqs in a record that leaves.
func (q *Queue) renumber(rec eventlog.Record) {
	number := func(n *uint64) {
		if n != nil {
			*n = q.seq(*n)
		}
	}
	attr := func(a *eventlog.Attr) {
		if a == nil {
			return
		}
		number(a.Origin)
		if a.Exec != nil {
			*a.Exec = eventlog.ExecSeq(q.seq(uint64(*a.Exec)))
		}
		if a.MovedFrom != nil {
			number(a.MovedFrom.Origin)
		}
	}
	changes := func(list []eventlog.Change) {
		for i := range list {
			attr(list[i].Was)
			attr(list[i].Now)
		}
	}
	switch rec := rec.(type) {
	case *eventlog.Event:
		number(&rec.Seq)
		changes(rec.Changes)
	case *eventlog.Drift:
		number(&rec.After)
		number(rec.Beside)
		changes(rec.Changes)
	case *eventlog.Space:
		number(&rec.After)
		for i := range rec.Mappings {
			attr(&rec.Mappings[i].Attr)
		}
	case *eventlog.Content:
		number(&rec.After)
	case *eventlog.Advice:
		number(&rec.After)
	case *eventlog.Snapshot:
		number(&rec.After)
		for i := range rec.Mappings {
			attr(&rec.Mappings[i].Attr)
		}
	}
}
