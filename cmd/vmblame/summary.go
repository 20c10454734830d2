package main

import (
	"encoding/json"
	"io"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/report"
	"github.com/vmblame/vmblame/internal/text"
)

// summary writes the summary at the end of a recording. Without an End record, as after a failure, it writes nothing.
type summary struct {
	*analysis.Recording
	w     io.Writer
	style text.Style
	json  bool // as one line of JSON
}

// Put implements eventlog.Sink. It returns the error of writing.
func (s *summary) Put(r eventlog.Record) error {
	if err := s.Recording.Put(r); err != nil {
		return err
	}
	if _, ok := r.(*eventlog.End); !ok {
		return nil
	}
	if s.json {
		e := json.NewEncoder(s.w)
		e.SetEscapeHTML(false)
		return e.Encode(s.Summary())
	}
	_, err := s.w.Write(report.Summary(s.Summary(), s.style))
	return err
}
