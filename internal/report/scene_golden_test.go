package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/internal/vm"
)

func opener(log string) Open {
	return func() (*eventlog.Reader, error) { return eventlog.Open(log) }
}

func scene(t *testing.T, log string, at Moment, pids ...int) *Scene {
	t.Helper()
	s, err := Load(opener(log), at, pids)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// decoded is an answer as a program reads it.
func decoded[T any](t *testing.T, v *T) *T {
	t.Helper()
	var d T
	if err := json.Unmarshal(asJSON(t, v), &d); err != nil {
		t.Fatal(err)
	}
	return &d
}

// answers are the views of a finished log, by the end of the golden file's name.
var answers = map[string]func(t *testing.T, log string, l text.Style) []byte{
	"report": func(t *testing.T, log string, l text.Style) []byte {
		return decoded(t, scene(t, log, Moment{}).Report(ReportOptions{})).Text(l)
	},
	"peak": func(t *testing.T, log string, l text.Style) []byte {
		return decoded(t, scene(t, log, Moment{Kind: AtPeak}).Report(ReportOptions{})).Text(l)
	},
	"stack": func(t *testing.T, log string, l text.Style) []byte {
		return decoded(t, scene(t, log, Moment{}).Report(ReportOptions{By: ByStack})).Text(l)
	},
	"file": func(t *testing.T, log string, l text.Style) []byte {
		return decoded(t, scene(t, log, Moment{}).Report(ReportOptions{By: ByFile})).Text(l)
	},
	"thread": func(t *testing.T, log string, l text.Style) []byte {
		return decoded(t, scene(t, log, Moment{}).Report(ReportOptions{By: ByThread})).Text(l)
	},
	"function": func(t *testing.T, log string, l text.Style) []byte {
		return decoded(t, scene(t, log, Moment{}).Report(ReportOptions{By: ByFunction, MinSize: 1 << 20})).Text(l)
	},
	"vmas": func(t *testing.T, log string, l text.Style) []byte {
		return decoded(t, scene(t, log, Moment{}).Report(ReportOptions{Sort: SortVMAs})).Text(l)
	},
	"json": func(t *testing.T, log string, l text.Style) []byte {
		return asJSON(t, scene(t, log, Moment{}).Report(ReportOptions{}))
	},
	"blame": func(t *testing.T, log string, l text.Style) []byte {
		return decoded(t, scene(t, log, Moment{}).Blame(Question{Range: vm.Range{End: vm.AddressMax}, Stacks: true})).Text(l)
	},
	"maps": func(t *testing.T, log string, l text.Style) []byte {
		text, err := os.ReadFile(strings.TrimSuffix(log, ".jsonl") + ".maps")
		if err != nil {
			t.Fatal(err)
		}
		rows, _, err := vm.ParseMapText(text)
		if err != nil {
			t.Fatal(err)
		}
		return decoded(t, scene(t, log, Moment{}).Blame(Question{Rows: rows})).Text(l)
	},
	"history": func(t *testing.T, log string, l text.Style) []byte {
		// Of the first byte of every mapping that is there at the end.
		var b []byte
		for _, p := range scene(t, log, Moment{}).processes {
			for i := range p.pieces {
				h, err := ReadHistory(opener(log), Moment{}, []int{p.PID}, p.pieces[i].Start, HistoryOptions{})
				if err != nil {
					t.Fatal(err)
				}
				b = append(append(b, decoded(t, h).Text(l)...), '\n')
			}
		}
		return b
	},
	"diff": func(t *testing.T, log string, l text.Style) []byte {
		d := Compare(scene(t, log, Moment{Kind: AtTime}), scene(t, log, Moment{}), [2]string{"begin", "end"})
		return append(decoded(t, d).Text(l), asJSON(t, d)...)
	},
}

// TestAnswers compares what the views of a finished log say with testdata/LOG.VIEW.txt, where that exists.
func TestAnswers(t *testing.T) {
	logs, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs in testdata (%v)", err)
	}
	compared := map[string]bool{}
	for _, log := range logs {
		for name, answer := range answers {
			golden := strings.TrimSuffix(log, ".jsonl") + "." + name + ".txt"
			want, err := os.ReadFile(golden)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			t.Run(filepath.Base(golden), func(t *testing.T) {
				compared[name] = true
				got := answer(t, log, text.Style{Width: 100, Log: filepath.Base(log)})
				if *update {
					if err := os.WriteFile(golden, got, 0o644); err != nil {
						t.Fatal(err)
					}
					return
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%s differs (go test -update writes it anew):\n--- got\n%s--- want\n%s", golden, got, want)
				}
			})
		}
	}
	for name := range answers {
		if !compared[name] {
			t.Errorf("%s: no golden file", name)
		}
	}
}
