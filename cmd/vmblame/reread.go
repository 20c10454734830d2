package main

import (
	"os"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/report"
)

// rereadLimit is the size in bytes of the largest log that is read again for the summary: that takes about
// a second.
const rereadLimit = 256 << 20

// scene reads what the log says at its end, nil where it cannot be read again.
func (l *logSink) scene() *report.Scene {
	err := l.w.Flush()
	l.check(err)
	if !l.regular || err != nil {
		return nil
	}
	if st, err := os.Stat(l.name); err != nil || st.Size() > rereadLimit {
		return nil
	}
	s, err := report.Load(func() (*eventlog.Reader, error) { return eventlog.Open(l.name) }, report.Moment{}, nil)
	if err != nil {
		return nil
	}
	return s
}
