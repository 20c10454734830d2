package record

import (
	"fmt"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// deliver runs on its own goroutine: it gives batches to the sinks until the queue has ended. A sink that
// fails gets nothing more; the recording goes on.
func (r *Recorder) deliver(sinks []eventlog.Sink, done chan struct{}) {
	defer close(done)
	defer func() {
		// A bug of a sink ends the log, not the program: the rest is taken and dropped.
		if p := recover(); p != nil {
			r.warn(fmt.Sprintf("internal error, nothing more is written: %v", p))
			r.drop()
		}
	}()
	for b := range r.queue.Batches() {
		for _, rec := range b.Records {
			if reached, ok := rec.(mark); ok {
				reached()
				continue
			}
			r.put(sinks, rec)
			if stack, ok := rec.(*eventlog.Stack); ok {
				r.names.add(stack)
				if r.opts.Names {
					for _, s := range r.names.resolve() {
						r.put(sinks, s)
					}
				}
			}
		}
		r.queue.Recycle(b)
	}
}

// drop takes batches until the queue has ended.
func (r *Recorder) drop() {
	for b := range r.queue.Batches() {
		for _, rec := range b.Records {
			if reached, ok := rec.(mark); ok {
				reached()
			}
		}
	}
}

func (r *Recorder) put(sinks []eventlog.Sink, rec eventlog.Record) {
	for i, s := range sinks {
		if s == nil {
			continue
		}
		if err := s.Put(rec); err != nil {
			sinks[i] = nil
			r.sinkFailed.Store(true)
			r.warn(fmt.Sprintf("%v: the recording goes on without it", err))
		}
	}
}

// mark is no record: deliver calls it when it comes to it.
type mark func()

// Type implements eventlog.Record.
func (mark) Type() string { return "" }
