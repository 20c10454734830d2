package main

import (
	"io"
	"sync"
	"time"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
)

// clearLine erases the terminal's current line, which may show a status: ECMA-48, CR and EL.
const clearLine = "\r\x1b[K"

// status is the line that a terminal shows while processes are followed: how long, how many events, what is mapped,
// and what has come and gone since the line before.
type status struct {
	w     io.Writer
	style text.Style
	start time.Time
	over  chan struct{}

	mu                 sync.Mutex
	events             int
	mapped, came, went int64 // bytes
}

// newStatus returns a status that writes a line a second until the End.
func newStatus(w io.Writer, style text.Style) *status {
	s := &status{w: w, style: style, start: time.Now(), over: make(chan struct{})}
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-s.over:
				return
			case <-tick.C:
				_, _ = io.WriteString(s.w, s.line(time.Since(s.start)))
			}
		}
	}()
	return s
}

// line returns the status after this time. It starts the counts of mapped and unmapped bytes anew.
func (s *status) line(after time.Duration) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := clearLine + s.style.Say("%.0f s  %d events  %s mapped  +%s  -%s", after.Seconds(), s.events, text.Size(s.mapped), text.Size(s.came), text.Size(s.went))
	s.came, s.went = 0, 0
	return line
}

// Put implements eventlog.Sink.
func (s *status) Put(r eventlog.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r := r.(type) {
	case *eventlog.Space:
		for _, m := range r.Mappings {
			s.mapped += int64(m.End - m.Start)
		}
	case *eventlog.Event:
		s.events++
		s.changed(r.Changes)
	case *eventlog.Drift:
		s.changed(r.Changes)
	case *eventlog.End:
		close(s.over)
		_, err := io.WriteString(s.w, clearLine)
		return err
	}
	return nil
}

func (s *status) changed(changes []eventlog.Change) {
	for _, c := range changes {
		size := int64(c.End - c.Start)
		switch {
		case c.Was == nil:
			s.mapped, s.came = s.mapped+size, s.came+size
		case c.Now == nil:
			s.mapped, s.went = s.mapped-size, s.went+size
		}
	}
}
