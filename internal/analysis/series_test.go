package analysis

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

func fileLog(name string) Open {
	return func() (*eventlog.Reader, error) {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		return eventlog.NewReader(bytes.NewReader(data))
	}
}

// TestLoadEach holds each of the states of one reading against that of a reading for itself.
func TestLoadEach(t *testing.T) {
	for _, name := range testenv.Files(t, "../report/testdata/*.jsonl", "../eventlog/testdata/*.jsonl") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			open := fileLog(name)
			v, err := Take(open, nil, 40, 1<<20, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			err = LoadEach(open, v.Moments, nil, func(i int, s *State) error {
				alone, err := Load(open, v.Moments[i], nil)
				if err != nil {
					return err
				}
				for _, by := range []By{ByKind, ByStack, ByThread} {
					if got, want := reportText(t, s, by), reportText(t, alone, by); got != want {
						t.Errorf("%v by %s:\n%s\nwant\n%s", v.Moments[i], by, got, want)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

func reportText(t *testing.T, s *State, by By) string {
	t.Helper()
	r := s.Report(ReportOptions{By: by})
	if s.Moment.Kind != AtEnd {
		r.Refused, r.Nameless = nil, nil
		for i := range r.Processes {
			r.Processes[i].Bounds = nil // they tell of calls that failed
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestHeldAddsUp: what the mappings have for themselves is, together, what the report has.
func TestHeldAddsUp(t *testing.T) {
	for _, name := range testenv.Files(t, "../report/testdata/*.jsonl", "../eventlog/testdata/*.jsonl") {
		s, err := Load(fileLog(name), Moment{}, nil)
		if err != nil {
			t.Fatal(name, err)
		}
		r := s.Report(ReportOptions{})
		i := 0
		s.Held(func(p *ReportProcess, held []Held) bool {
			want := r.Processes[i]
			var sum Totals
			rows := map[string]int64{}
			for j := range held {
				sum.Add(&held[j].Figures)
				rows[held[j].Heading.Word] += held[j].Figures.Reserved
			}
			sum.Count, sum.Free = want.Total.Count, want.Total.Free
			if got, want := marshal(t, sum), marshal(t, want.Total); got != want {
				t.Errorf("%s: process %d: the mappings add up to %s, the report has %s", name, p.PID, got, want)
			}
			if len(rows) != len(want.Holders) {
				t.Errorf("%s: process %d: %d headings, the report has %d rows", name, p.PID, len(rows), len(want.Holders))
			}
			i++
			return true
		})
		if i != len(r.Processes) {
			t.Errorf("%s: %d processes, the report has %d", name, i, len(r.Processes))
		}
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSurvey: a log of more events than there may be moments keeps its peak among them.
func TestSurvey(t *testing.T) {
	const at = 0x7f0000000000
	lines := churn(400, 0, 1<<20)
	lines = append(lines, mapLine(801, at, at+1<<30), unmapLine(802, at, at+1<<30, 801))
	seq := 802
	for range 300 {
		lines = append(lines, mapLine(seq+1, at, at+1<<12), unmapLine(seq+2, at, at+1<<12, seq+1))
		seq += 2
	}
	v, err := Take(textLog(lines...), nil, 100, 1<<20, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if v.Events != seq || v.Every || v.Mappings != 2 {
		t.Errorf("%+v, want %d events, 2 mappings at a time, not every one", v, seq)
	}
	if n := len(v.Moments); n < 30 || n > 102 {
		t.Errorf("%d moments, at most 102 were asked for", n)
	}
	if v.Moments[0].Kind != AtStart || v.Moments[len(v.Moments)-1].Kind != AtEnd {
		t.Errorf("they go from %v to %v, want start and end", v.Moments[0], v.Moments[len(v.Moments)-1])
	}
	peak, last := false, uint64(0)
	for _, m := range v.Moments[1 : len(v.Moments)-1] {
		if m.Seq <= last {
			t.Fatalf("%d comes after %d", m.Seq, last)
		}
		last = m.Seq
		peak = peak || m.Seq == 801
	}
	if !peak {
		t.Errorf("event 801, at which the most was mapped, is none of %v", v.Moments)
	}
	if v, err = Take(textLog(lines...), nil, 100, 40, 0, 0); err != nil || len(v.Moments) != 22 {
		t.Errorf("with 40 mappings at most at all moments of 2: %d moments, want 22 (%v)", len(v.Moments), err)
	}
	if v, err = Take(textLog(lines[:20]...), nil, 100, 1<<20, 0, 0); err != nil || !v.Every || len(v.Moments) != 22 {
		t.Errorf("of 20 events every one should be a moment: %+v (%v)", v, err)
	}
}
