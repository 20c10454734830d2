package main

import (
	"encoding/json"
	"io"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/report"
)

// summaryJSON is the summary of a recording for programs (--json): one object in one line, when the
// recording ends.
type summaryJSON struct {
	w   io.Writer
	log *logSink
}

// Put implements eventlog.Sink.
func (s *summaryJSON) Put(r eventlog.Record) error {
	end, ok := r.(*eventlog.End)
	if !ok {
		return nil
	}
	v := struct {
		Log    string        `json:"log"`
		End    *eventlog.End `json:"end"`
		Report any           `json:"report"` // as `vmblame report --json` prints it; null where the log cannot be read again
	}{Log: s.log.name, End: end}
	if scene := s.log.scene(); scene != nil {
		v.Report = scene.ReportJSON(report.ReportOptions{By: report.ByKind})
	}
	e := json.NewEncoder(s.w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
