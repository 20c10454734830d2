package analysis

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestMainStackOfMainThread: by thread the main stack is the main thread's.
func TestMainStackOfMainThread(t *testing.T) {
	s, err := Load(textLog(mapLine(1, 0x7f0000000000, 0x7f0000002000), growth), Moment{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range s.Report(ReportOptions{By: ByThread}).Processes[0].Holders {
		if stack := strings.Contains(h.Label, "kernel: stack growth"); stack || h.Label == "10 x" && h.Reserved != 3<<12 {
			t.Errorf("%s has %d bytes", h.Label, h.Reserved)
		}
	}
}

// TestCounts: a row counts what it holds, each thing once, whatever the report lists by; of kinds the counts add up.
func TestCounts(t *testing.T) {
	logs, err := filepath.Glob("../report/testdata/*.jsonl")
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs in testdata (%v)", err)
	}
	for _, log := range logs {
		s := state(t, log, Moment{})
		for _, p := range s.processes {
			for _, by := range []By{ByKind, ByStack, ByFile, ByThread, ByFunction} {
				sum := 0
				for _, h := range s.holders(p, by) {
					things := map[int]bool{}
					var walk func(*holder)
					walk = func(h *holder) {
						for _, x := range h.mappings {
							things[x.Group] = true
						}
						for _, q := range h.parts {
							walk(q)
						}
					}
					walk(h)
					if h.objects != len(things) {
						t.Errorf("%s by %s: %s counts %d things, it holds %d", log, by, h.label, h.objects, len(things))
					}
					sum += h.objects
				}
				if n := len(p.objects()); by == ByKind && sum != n || sum < n {
					t.Errorf("%s by %s: %d things, the rows have %d", log, by, n, sum)
				}
			}
		}
	}
}
