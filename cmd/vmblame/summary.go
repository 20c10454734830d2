package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/report"
	"github.com/vmblame/vmblame/internal/text"
)

// summary makes the summary at the end of a recording. Without an End record, as after a failure, there is none.
type summary struct {
	*analysis.Recording
	w     io.Writer
	notes io.Writer
	style text.Style
	json  bool // as one line of JSON
	log   string
	ended bool

	nameless bool              // names are still being looked up
	quiet    bool              // nothing is written
	sum      *analysis.Summary // once it is made
}

// Put implements eventlog.Sink.
func (s *summary) Put(r eventlog.Record) error {
	if _, ok := r.(*eventlog.End); ok {
		s.ended = true
	}
	return s.Recording.Put(r)
}

// rereadable is the size in bytes up to which a log is read again to report what was mapped at its peak. That takes two
// passes: about a second.
const rereadable = 32 << 20

// write makes and writes the summary, once the log has been closed.
func (s *summary) write() {
	if s == nil || !s.ended {
		return
	}
	sum := s.made()
	switch {
	case s.quiet:
	case s.json:
		e := json.NewEncoder(s.w)
		e.SetEscapeHTML(false)
		_ = e.Encode(sum)
	default:
		_, _ = s.w.Write(report.Summary(sum, s.style))
	}
	if s.nameless && !s.quiet {
		fmt.Fprintf(s.notes, "names are still being looked up, and come to the log: vmblame report %s waits for them", quote(s.log))
	}
}

// made returns the summary. If the program gave back most of its memory before it ended, it adds the report of the
// peak, which it reads from the log.
func (s *summary) made() *analysis.Summary {
	sum := s.Summary()
	if st, err := os.Stat(s.log); err == nil && st.Mode().IsRegular() && st.Size() <= rereadable && sum.Tidied() {
		open := func() (*eventlog.Reader, error) { return eventlog.OpenAsIs(s.log) }
		if peak, err := analysis.Load(open, analysis.Moment{Kind: analysis.AtPeak}, nil); err == nil {
			sum.Peak = peak.Report(analysis.ReportOptions{})
		}
	}
	s.sum = sum
	return sum
}
