package record

import (
	"fmt"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/naming"
)

// deliver runs on its own goroutine. It gives batches to the sinks until the queue has ended, and the stacks in them
// to names; with early set, the symbol lines follow each stack at once. A sink that fails gets no more records; the
// recording goes on.
func (o *output) deliver(sinks []eventlog.Sink, names *naming.Names, early bool, done chan struct{}) {
	defer close(done)
	defer func() {
		// A panic in a sink ends the log but not the recording: the remaining batches are taken and dropped.
		if p := recover(); p != nil {
			o.warn(fmt.Sprintf("internal error, nothing more is written: %v%s", p, panicSite()))
			o.drop()
		}
	}()
	for b := range o.queue.Batches() {
		for _, rec := range b.Records {
			if reached, ok := rec.(mark); ok {
				reached()
				continue
			}
			o.count(rec)
			o.put(sinks, rec)
			if stack, ok := rec.(*eventlog.Stack); ok {
				names.Add(stack)
				if early {
					for _, s := range names.Resolve() {
						o.put(sinks, s)
					}
				}
			}
		}
		o.queue.Recycle(b)
	}
}

// count counts the events and drifts that reached the sinks, for the end line of a log that lacks some: after a
// failure, records that wait in the queue are never sent.
func (o *output) count(rec eventlog.Record) {
	switch rec := rec.(type) {
	case *eventlog.Event:
		o.sent.events++
	case *eventlog.Drift:
		o.sent.drifts++
	case *eventlog.End:
		if rec.Cause == "failed" {
			rec.Lost += rec.Events - min(rec.Events, o.sent.events)
			rec.Events, rec.Drifts = o.sent.events, o.sent.drifts
		}
	}
}

// drop takes batches until the queue has ended.
func (o *output) drop() {
	for b := range o.queue.Batches() {
		for _, rec := range b.Records {
			if reached, ok := rec.(mark); ok {
				reached()
			}
		}
	}
}

func (o *output) put(sinks []eventlog.Sink, rec eventlog.Record) {
	for i, s := range sinks {
		if s == nil {
			continue
		}
		if err := s.Put(rec); err != nil {
			sinks[i] = nil
			o.sinkFailed.Store(true)
			o.warn(fmt.Sprintf("%v: the recording goes on without it", err))
		}
	}
}

// mark is a function in the queue of records: deliver calls it when it reaches it.
type mark func()

// Type implements eventlog.Record.
func (mark) Type() string { return "" }
