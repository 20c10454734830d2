// Package spool stands between who writes text and a file that takes it slowly or not at all: a terminal that was
// stopped, a pipe that nobody reads. Whoever writes never waits; what has no room is dropped, and counted. It
// does not know what it carries.
package spool

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// A Spool is an io.Writer whose Write never blocks. Its methods may be called concurrently. It must be closed.
type Spool struct {
	dst   io.Writer
	bound int // bytes

	mu      sync.Mutex
	buf     []byte // what waits
	dropped int    // lines since the last that found room
	err     error  // of dst
	closed  bool

	wake  chan struct{}
	done  chan struct{}
	moved atomic.Int64 // bytes that dst has taken
}

// New returns a Spool that keeps at most bound bytes for dst.
func New(dst io.Writer, bound int) *Spool {
	s := &Spool{dst: dst, bound: bound, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go s.run()
	return s
}

// Write takes p whole, or drops it whole where there is no room. It returns the error with which an earlier
// write to the destination ended, and nil else.
func (s *Spool) Write(p []byte) (int, error) { return s.write(p, s.bound) }

// Talk is the same Spool for text that is dropped first: it leaves a quarter of the room to the rest.
func (s *Spool) Talk() io.Writer { return talk{s} }

type talk struct{ *Spool }

func (t talk) Write(p []byte) (int, error) { return t.write(p, t.bound/4*3) }

func (s *Spool) write(p []byte, room int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	if s.closed || len(s.buf)+len(p) > room {
		s.dropped += bytes.Count(p, []byte("\n"))
		return len(p), nil
	}
	s.tellDropped()
	s.buf = append(s.buf, p...)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return len(p), nil
}

// tellDropped puts a line where others are missing.
func (s *Spool) tellDropped() {
	switch n := s.dropped; {
	case n == 1:
		s.buf = append(s.buf, "vmblame: a line is missing here: it was not read in time\n"...)
	case n > 1:
		s.buf = fmt.Appendf(s.buf, "vmblame: %d lines are missing here: they were not read in time\n", n)
	}
	s.dropped = 0
}

// run hands on what waits, a piece at a time, until the Spool is closed and empty, or dst fails.
func (s *Spool) run() {
	defer close(s.done)
	piece := make([]byte, 0, 16<<10)
	for {
		s.mu.Lock()
		for len(s.buf) == 0 {
			s.tellDropped()
			if len(s.buf) > 0 {
				break
			}
			if s.closed {
				s.mu.Unlock()
				return
			}
			s.mu.Unlock()
			<-s.wake
			s.mu.Lock()
		}
		n := min(len(s.buf), cap(piece))
		piece = append(piece[:0], s.buf[:n]...)
		s.buf = append(s.buf[:0], s.buf[n:]...)
		s.mu.Unlock()
		if _, err := s.dst.Write(piece); err != nil {
			s.mu.Lock()
			s.err, s.buf = err, nil
			s.mu.Unlock()
			return
		}
		s.moved.Add(int64(n))
	}
}

// Close takes nothing more and waits until all has been handed on, or until the destination has taken nothing
// for the time given; it reports whether all has been. It does not close the destination.
func (s *Spool) Close(patience time.Duration) bool {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return Await(s.done, &s.moved, patience)
}

// Await waits for done as long as progress changes at least once in the time given, and reports whether it is
// done.
func Await(done <-chan struct{}, progress *atomic.Int64, patience time.Duration) bool {
	for {
		before := progress.Load()
		select {
		case <-done:
			return true
		case <-time.After(patience):
			if progress.Load() == before {
				return false
			}
		}
	}
}
