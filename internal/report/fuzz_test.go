package report

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/internal/vm"
)

// addLogs begins a corpus with the logs of testdata.
func addLogs(f *testing.F) {
	f.Helper()
	logs := testenv.Files(f, "testdata/*.jsonl")
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
}

// FuzzState: no log makes a view of a finished log panic.
func FuzzState(f *testing.F) {
	addLogs(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		open := func() (*eventlog.Reader, error) { return eventlog.NewReader(bytes.NewReader(data)) }
		for _, at := range []analysis.Moment{{}, {Kind: analysis.AtPeak}, {Kind: analysis.AtSeq, Seq: 2}} {
			s, err := analysis.Load(open, at, nil)
			if err != nil {
				continue
			}
			l := text.Style{Width: 80}
			for _, by := range []analysis.By{analysis.ByKind, analysis.ByStack, analysis.ByFile, analysis.ByThread, analysis.ByFunction} {
				Report(s.Report(analysis.ReportOptions{By: by, MinSize: 1 << 16}), l)
			}
			Report(s.Report(analysis.ReportOptions{Sort: analysis.SortVMAs}), l)
			Blame(decoded(t, s.Blame(analysis.Question{Range: vm.Range{End: 1 << 63}, Stacks: true})), l)
			Diff(decoded(t, analysis.Compare(s, s, [2]string{"a", "b"})), l)
			if all := mapped(s); len(all) > 0 {
				h, err := analysis.ReadHistory(open, at, nil, all[0].Start, analysis.HistoryOptions{Calls: true, Stacks: true})
				if err != nil {
					t.Fatal(err)
				}
				History(decoded(t, h), l)
			}
		}
	})
}

// FuzzViews: no log makes a view panic.
func FuzzViews(f *testing.F) {
	addLogs(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := eventlog.NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		defer r.Close()
		sinks := []eventlog.Sink{NewLive(io.Discard, text.Style{Whole: true}), newSummary(io.Discard, "", text.Style{Width: 1})}
		for {
			rec, err := r.Next()
			if err != nil {
				break
			}
			for _, s := range sinks {
				if err := s.Put(rec); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, s := range sinks {
			s.Put(&eventlog.End{})
		}
	})
}
