package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestJSONNames: every name in the JSON of a view stands in docs/answers.md.
func TestJSONNames(t *testing.T) {
	text, err := os.ReadFile("../../docs/answers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, doc, ok := strings.Cut(string(text), "\n## JSON\n")
	if !ok {
		t.Fatal("docs/answers.md has no section about JSON")
	}
	missing := map[string]bool{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, x := range v {
				if !strings.Contains(doc, "`"+name+"`") && !missing[name] {
					missing[name] = true
					t.Errorf("%s is not described", name)
				}
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	logs, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(logs) == 0 {
		t.Fatal("no logs in testdata", err)
	}
	for _, log := range logs {
		s := state(t, log, analysis.Moment{})
		docs := []any{s.Report(analysis.ReportOptions{}), s.Blame(analysis.Question{Range: vm.Range{End: vm.AddressMax}, Frames: true}),
			analysis.Compare(state(t, log, analysis.Moment{Kind: analysis.AtSeq, Seq: 1}), s, [2]string{"a", "b"})}
		for _, m := range mapped(s) {
			h, err := analysis.ReadHistory(opener(log), analysis.Moment{}, nil, m.Start, analysis.HistoryOptions{Calls: true})
			if err != nil {
				t.Fatal(err)
			}
			docs = append(docs, h)
		}
		for _, d := range docs {
			var v any
			if err := json.Unmarshal(asJSON(t, d), &v); err != nil {
				t.Fatal(err)
			}
			walk(v)
		}
	}
}
