package record

import (
	"sort"
	"sync"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// The log has its events in the kernel's order, without a gap. A call whose place is settled at its entry
// is open until it returns; what comes after it waits in the outbox, up to holdLines lines.

const (
	holdLines = 100_000
	batchSize = 256
	// batchQueue bounds what stands between the tracer and a slow disk: 32 batches are about 6 MiB.
	batchQueue = 32
)

// eventBox is an event with room of its own for what it points to, used again and again.
type eventBox struct {
	eventlog.Event
	open    bool
	flight  *flight
	result  eventlog.Result
	stack   int
	args    [6]eventlog.Arg
	changes [4]eventlog.Change
	attrs   [8]eventlog.Attr
	origins [8]uint64
	execs   [8]eventlog.ExecSeq
}

// batch is what goes to the sinks in one piece.
type batch struct {
	records []eventlog.Record
	boxes   []*eventBox
}

// outbox collects records on the tracer's goroutine and hands them to the sinks' goroutine.
type outbox struct {
	out   chan *batch
	spare chan *batch
	cur   *batch
	free  []*eventBox
	held  []heldRecord // from the first open event on
	opens int

	withdrawn []uint64 // event numbers that were given up, ascending; see seq

	sinks sync.WaitGroup
}

type heldRecord struct {
	record eventlog.Record
	box    *eventBox
}

func newOutbox() *outbox {
	return &outbox{out: make(chan *batch, batchQueue), spare: make(chan *batch, batchQueue+4), cur: &batch{}}
}

// box returns an empty box.
func (o *outbox) box() *eventBox {
	if n := len(o.free); n > 0 {
		b := o.free[n-1]
		o.free = o.free[:n-1]
		return b
	}
	return &eventBox{}
}

// put appends a record; box is its box where it is an event.
func (o *outbox) put(rec eventlog.Record, box *eventBox) {
	if box != nil && box.open {
		o.opens++
	} else if o.opens == 0 {
		o.send(rec, box)
		return
	}
	o.held = append(o.held, heldRecord{rec, box})
}

// define sends a record that others refer to ahead of what is held: a definition has no place in the order,
// it only must come before.
func (o *outbox) define(rec eventlog.Record) { o.send(rec, nil) }

// closed is called when an open event has been completed.
func (o *outbox) closed(box *eventBox) {
	box.open = false
	o.opens--
	o.drain()
}

func (o *outbox) drain() {
	n := 0
	for _, h := range o.held {
		if h.box != nil && h.box.open {
			break
		}
		o.send(h.record, h.box)
		n++
	}
	if n == len(o.held) {
		clear(o.held)
		o.held = o.held[:0]
		return
	}
	o.held = o.held[n:]
}

// overfull returns the open event that holds back too many lines, nil where none does.
func (o *outbox) overfull() *eventBox {
	if len(o.held) <= holdLines {
		return nil
	}
	return o.held[0].box
}

func (o *outbox) send(rec eventlog.Record, box *eventBox) {
	if len(o.withdrawn) > 0 {
		o.renumber(rec)
	}
	o.cur.records = append(o.cur.records, rec)
	if box != nil {
		o.cur.boxes = append(o.cur.boxes, box)
	}
	if len(o.cur.records) >= batchSize {
		o.flush()
	}
}

// flush hands what is collected to the sinks. It blocks where they are far behind.
func (o *outbox) flush() {
	if len(o.cur.records) == 0 {
		return
	}
	o.out <- o.cur
	select {
	case b := <-o.spare:
		o.free = append(o.free, b.boxes...)
		b.records, b.boxes = b.records[:0], b.boxes[:0]
		o.cur = b
	default:
		o.cur = &batch{}
	}
}

// seq turns an event's number into its seq: the numbers given up leave no gap.
func (o *outbox) seq(number uint64) uint64 {
	return number - uint64(sort.Search(len(o.withdrawn), func(i int) bool { return o.withdrawn[i] >= number }))
}

// renumber replaces numbers by seqs in a record that leaves.
func (o *outbox) renumber(rec eventlog.Record) {
	number := func(n *uint64) {
		if n != nil {
			*n = o.seq(*n)
		}
	}
	attr := func(a *eventlog.Attr) {
		if a == nil {
			return
		}
		number(a.Origin)
		if a.Exec != nil {
			*a.Exec = eventlog.ExecSeq(o.seq(uint64(*a.Exec)))
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
	case *eventlog.Snapshot:
		number(&rec.After)
		for i := range rec.Mappings {
			attr(&rec.Mappings[i].Attr)
		}
	}
}
