package export

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

func opener(log string) analysis.Open {
	return func() (*eventlog.Reader, error) {
		f, err := os.Open(log)
		if err != nil {
			return nil, err
		}
		return eventlog.NewReader(f)
	}
}

// eachLog runs a test for every committed log at its end and at moments before.
func eachLog(t *testing.T, run func(t *testing.T, log string, at analysis.Moment)) {
	t.Helper()
	for _, log := range testenv.Files(t, "../report/testdata/*.jsonl", "../eventlog/testdata/*.jsonl") {
		end := stateOf(t, log, analysis.Moment{})
		moments := []analysis.Moment{{}, {Kind: analysis.AtTime, T: end.T / 2}}
		if strings.HasPrefix(log, "../report") {
			moments = append(moments, analysis.Moment{Kind: analysis.AtPeak}, analysis.Moment{Kind: analysis.AtStart}, analysis.Moment{Kind: analysis.AtSeq, Seq: end.Seq/2 + 1})
			if end.Seq == 0 {
				moments = moments[:len(moments)-1]
			}
		}
		for _, at := range moments {
			t.Run(filepath.Base(log)+"@"+at.String(), func(t *testing.T) { run(t, log, at) })
		}
	}
}

func stateOf(t *testing.T, log string, at analysis.Moment) *analysis.State {
	t.Helper()
	s, err := analysis.Load(opener(log), at, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// figures are what a report says, together or of one kind.
type figures struct{ addresses, usable, resident, mappings int64 }

// reported are the figures of a report's rows by kind, and all together under "".
func reported(r *analysis.Report) map[string]figures {
	by := map[string]figures{}
	var add func(rows []analysis.Row)
	add = func(rows []analysis.Row) {
		for i := range rows {
			for j := range rows[i].Ranges {
				x := &rows[i].Ranges[j]
				n := by[string(x.Kind)]
				n.addresses += x.Bytes
				n.mappings++
				if x.Resident != nil {
					n.resident += *x.Resident
				}
				if x.Perms[:3] != "---" {
					n.usable += x.Bytes
				} else if x.Resident != nil {
					n.usable += *x.Resident
				}
				by[string(x.Kind)] = n
			}
			add(rows[i].Parts)
		}
	}
	all := figures{}
	for i := range r.Processes {
		p := &r.Processes[i]
		add(p.Holders)
		all.addresses += p.Total.Reserved
		all.usable += p.Total.Committed
		all.mappings += int64(p.Total.Mappings)
		if p.Total.Resident != nil {
			all.resident += *p.Total.Resident
		}
	}
	by[""] = all
	return by
}

// differ fails where figures are not those of the report.
func differ(t *testing.T, what string, got, want map[string]figures) {
	t.Helper()
	for kind, w := range want {
		if got[kind] != w {
			t.Errorf("%s: %q: %+v, the report says %+v", what, kind, got[kind], w)
		}
	}
	for kind, g := range got {
		if _, ok := want[kind]; !ok && g != (figures{}) {
			t.Errorf("%s: %q: %+v, the report has none", what, kind, g)
		}
	}
}

// callsUpTo counts the mapping calls of a log up to an event, and what they map and unmap.
func callsUpTo(t *testing.T, log string, seq uint64) (calls, mapped, unmapped int64) {
	t.Helper()
	r, err := opener(log)()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if err != nil {
			return calls, mapped, unmapped
		}
		e, ok := rec.(*eventlog.Event)
		if !ok || e.Seq > seq || e.Call == "execve" || e.Call == "execveat" {
			continue
		}
		calls++
		for _, c := range e.Changes {
			if c.Was == nil {
				mapped += int64(c.End - c.Start)
			}
			if c.Now == nil {
				unmapped += int64(c.End - c.Start)
			}
		}
	}
}
