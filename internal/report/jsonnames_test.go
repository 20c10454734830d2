package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
		s := scene(t, log, Moment{})
		docs := []any{s.Report(ReportOptions{}), s.Blame(Question{Range: vm.Range{End: vm.AddressMax}, Frames: true}),
			Compare(scene(t, log, Moment{Kind: AtSeq, Seq: 1}), s, [2]string{"a", "b"})}
		for i := range s.processes[0].pieces {
			h, err := ReadHistory(opener(log), Moment{}, nil, s.processes[0].pieces[i].Start, HistoryOptions{Calls: true})
			if err != nil {
				t.Fatal(err)
			}
			docs = append(docs, h)
		}
		docs = append(docs, history(t, HistoryOptions{}, churn(9, 0, 4096)...))
		for _, d := range docs {
			var v any
			if err := json.Unmarshal(asJSON(t, d), &v); err != nil {
				t.Fatal(err)
			}
			walk(v)
		}
	}
}
