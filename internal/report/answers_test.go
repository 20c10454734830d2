package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/internal/vm"
)

func opener(log string) analysis.Open {
	return func() (*eventlog.Reader, error) { return eventlog.Open(log) }
}

func state(t *testing.T, log string, at analysis.Moment, pids ...int) *analysis.State {
	t.Helper()
	s, err := analysis.Load(opener(log), at, pids)
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

// mapped are the mappings of a state, of one process after the other.
func mapped(s *analysis.State) (list []mapping) {
	for _, p := range s.Blame(analysis.Question{Range: vm.Range{End: vm.AddressMax}}).Processes {
		for _, r := range p.Rows {
			for _, m := range r.Mappings {
				list = append(list, mapping{p.PID, vm.Range{Start: uint64(m.Start), End: uint64(m.End)}})
			}
		}
	}
	return list
}

type mapping struct {
	pid int
	vm.Range
}

// answers are the views of a finished log, by the end of the golden file's name.
var answers = map[string]func(t *testing.T, log string, l text.Style) []byte{
	"report": func(t *testing.T, log string, l text.Style) []byte {
		return Report(decoded(t, state(t, log, analysis.Moment{}).Report(analysis.ReportOptions{})), l)
	},
	"peak": func(t *testing.T, log string, l text.Style) []byte {
		return Report(decoded(t, state(t, log, analysis.Moment{Kind: analysis.AtPeak}).Report(analysis.ReportOptions{})), l)
	},
	"stack": func(t *testing.T, log string, l text.Style) []byte {
		return Report(decoded(t, state(t, log, analysis.Moment{}).Report(analysis.ReportOptions{By: analysis.ByStack})), l)
	},
	"file": func(t *testing.T, log string, l text.Style) []byte {
		return Report(decoded(t, state(t, log, analysis.Moment{}).Report(analysis.ReportOptions{By: analysis.ByFile})), l)
	},
	"thread": func(t *testing.T, log string, l text.Style) []byte {
		return Report(decoded(t, state(t, log, analysis.Moment{}).Report(analysis.ReportOptions{By: analysis.ByThread})), l)
	},
	"function": func(t *testing.T, log string, l text.Style) []byte {
		return Report(decoded(t, state(t, log, analysis.Moment{}).Report(analysis.ReportOptions{By: analysis.ByFunction, MinSize: 1 << 20})), l)
	},
	"vmas": func(t *testing.T, log string, l text.Style) []byte {
		return Report(decoded(t, state(t, log, analysis.Moment{}).Report(analysis.ReportOptions{Sort: analysis.SortVMAs})), l)
	},
	"json": func(t *testing.T, log string, l text.Style) []byte {
		return asJSON(t, state(t, log, analysis.Moment{}).Report(analysis.ReportOptions{}))
	},
	"blame": func(t *testing.T, log string, l text.Style) []byte {
		return Blame(decoded(t, state(t, log, analysis.Moment{}).Blame(analysis.Question{Range: vm.Range{End: vm.AddressMax}, Stacks: true})), l)
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
		return Blame(decoded(t, state(t, log, analysis.Moment{}).Blame(analysis.Question{Rows: rows})), l)
	},
	"history": func(t *testing.T, log string, l text.Style) []byte {
		// Of the first byte of every mapping that is there at the end.
		var b []byte
		s := state(t, log, analysis.Moment{})
		for _, m := range mapped(s) {
			h, err := analysis.ReadHistory(opener(log), analysis.Moment{}, []int{m.pid}, m.Start, analysis.HistoryOptions{})
			if err != nil {
				t.Fatal(err)
			}
			b = append(append(b, History(decoded(t, h), l)...), '\n')
		}
		return b
	},
	"failed": func(t *testing.T, log string, l text.Style) []byte {
		return Failed(decoded(t, state(t, log, analysis.Moment{}).Failed()), l)
	},
	"growth": func(t *testing.T, log string, l text.Style) []byte {
		g, err := analysis.ReadGrowth(opener(log), analysis.GrowthOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return Growth(decoded(t, g), l)
	},
	"diff": func(t *testing.T, log string, l text.Style) []byte {
		d := analysis.Compare(state(t, log, analysis.Moment{Kind: analysis.AtTime}), state(t, log, analysis.Moment{}), [2]string{"begin", "end"})
		return append(Diff(decoded(t, d), l), asJSON(t, d)...)
	},
}

// TestAnswers compares what the views of a finished log say with testdata/LOG.VIEW.txt, and in Chinese with LOG.zh-VIEW.txt, where
// that exists.
func TestAnswers(t *testing.T) {
	logs := testenv.Files(t, "testdata/*.jsonl")
	compared := map[string]bool{}
	styles := map[string]text.Style{"": {Width: 100}, "zh-": {Width: 100, Words: chinese(t)}}
	for _, log := range logs {
		for view := range len(answers) * len(styles) {
			language := slices.Sorted(maps.Keys(styles))[view%len(styles)]
			name := slices.Sorted(maps.Keys(answers))[view/len(styles)]
			answer := answers[name]
			golden := strings.TrimSuffix(log, ".jsonl") + "." + language + name + ".txt"
			want, err := os.ReadFile(golden)
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			t.Run(filepath.Base(golden), func(t *testing.T) {
				compared[name] = true
				l := styles[language]
				l.Log = filepath.Base(log)
				got := answer(t, log, l)
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

// TestLeak: the first line of a growth says who leaks, where, and how much of it was never freed, whatever the width of the table.
func TestLeak(t *testing.T) {
	g, err := analysis.ReadGrowth(opener("../eventlog/testdata/real-leak.jsonl"), analysis.GrowthOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, width := range []int{60, 120} {
		got := strings.Join(strings.Fields(string(Growth(g, text.Style{Width: width}))), " ")
		if want := "+40.0 MiB in a straight line since 0.0192 s by buffer_new < handle_request < main (leak.c:14), 40 mappings of 1.0 MiB each never freed, the oldest for 0.957 s; "; !strings.Contains(got, want) {
			t.Errorf("at %d columns: %q is missing:\n%s", width, want, got)
		}
	}
}
