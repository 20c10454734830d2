package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/locale"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/text"
)

var update = flag.Bool("update", false, "write what the views print to testdata")

// feed hands every record of a log to sink.
func feed(t *testing.T, log string, sink eventlog.Sink) {
	t.Helper()
	r, err := eventlog.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := sink.Put(rec); err != nil {
			t.Fatal(err)
		}
	}
}

// views are the ways in which each log of testdata is printed, by the end of the golden file's name.
var views = map[string]func(w io.Writer, log string) eventlog.Sink{
	"live": func(w io.Writer, _ string) eventlog.Sink { return NewLive(w, text.Style{Whole: true}) },
	"summary": func(w io.Writer, log string) eventlog.Sink {
		return newSummary(w, log, text.Style{Log: log, Width: 100})
	},
	"wide": func(w io.Writer, log string) eventlog.Sink {
		return newSummary(w, "", text.Style{Width: 100, Whole: true})
	},
	"zh-summary": func(w io.Writer, log string) eventlog.Sink {
		words, _ := locale.Named("zh")
		return newSummary(w, log, text.Style{Log: log, Width: 80, Words: words})
	},
	"narrow": func(w io.Writer, log string) eventlog.Sink {
		return newSummary(w, log, text.Style{Width: 70, Color: true})
	},
}

// summarySink writes a summary when a log ends, from its JSON.
type summarySink struct {
	*analysis.Recording
	w io.Writer
	l text.Style
}

func newSummary(w io.Writer, log string, l text.Style) *summarySink {
	return &summarySink{analysis.NewRecording(log), w, l}
}

func (s *summarySink) Put(r eventlog.Record) error {
	s.Recording.Put(r)
	if _, ok := r.(*eventlog.End); !ok {
		return nil
	}
	b, err := json.Marshal(s.Summary())
	if err != nil {
		return err
	}
	var sum analysis.Summary
	if err := json.Unmarshal(b, &sum); err != nil {
		return err
	}
	_, err = s.w.Write(Summary(&sum, s.l))
	return err
}

// TestGolden compares what every view prints of every log with testdata/LOG.VIEW.txt, where that exists.
func TestGolden(t *testing.T) {
	logs := testenv.Files(t, "testdata/*.jsonl")
	compared := 0
	for _, log := range logs {
		for name, view := range views {
			golden := strings.TrimSuffix(log, ".jsonl") + "." + name + ".txt"
			want, err := os.ReadFile(golden)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			t.Run(filepath.Base(golden), func(t *testing.T) {
				compared++
				var got bytes.Buffer
				feed(t, log, view(&got, filepath.Base(log)))
				if *update {
					if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
					return
				}
				if !bytes.Equal(got.Bytes(), want) {
					t.Errorf("%s differs (go test -update writes it anew):\n--- got\n%s--- want\n%s", golden, got.Bytes(), want)
				}
			})
		}
	}
	if compared == 0 {
		t.Fatal("nothing to compare with")
	}
}

// TestLogs holds that the logs of testdata are what a recording could have written.
func TestLogs(t *testing.T) {
	logs := testenv.Files(t, "testdata/*.jsonl")
	for _, log := range logs {
		if err := eventlog.CheckFile(log, func(p eventlog.Problem) { t.Errorf("%s: %v", log, p) }); err != nil {
			t.Errorf("%s: %v", log, err)
		}
	}
}
