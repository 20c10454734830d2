package record

import (
	"sync/atomic"
	"time"
)

// wake interrupts the wait of the tracer's goroutine for timers and for requests of other goroutines.
type wake struct {
	ring     func() // makes the tracer's source return; from any goroutine
	requests chan func()
	over     atomic.Bool // requests are no longer handled

	deadline *time.Timer // these two belong to the tracer's goroutine
	armed    bool
}

func newWake(ring func()) *wake { return &wake{ring: ring, requests: make(chan func(), 16)} }

// in makes the main loop check for overdue calls after d.
func (w *wake) in(d time.Duration) {
	if w.armed {
		return
	}
	w.armed = true
	if w.deadline == nil {
		w.deadline = time.AfterFunc(d, w.ring)
		return
	}
	w.deadline.Reset(d)
}

// ask runs f on the tracer's goroutine soon. It may be called from any goroutine.
func (w *wake) ask(f func()) {
	if w.over.Load() {
		return
	}
	w.requests <- f
	w.ring()
}

// answer runs the requests, on the tracer's goroutine when it has woken.
func (w *wake) answer() {
	w.armed = false
	for {
		select {
		case f := <-w.requests:
			f()
		default:
			return
		}
	}
}

// regularly runs on its own goroutine until stop is closed: it keeps records moving while the tracees are idle.
func (w *wake) regularly(stop, done chan struct{}) {
	defer close(done)
	flush := time.NewTicker(200 * time.Millisecond)
	defer flush.Stop()
	for {
		select {
		case <-stop:
			return
		case <-flush.C:
			w.ring()
		}
	}
}
