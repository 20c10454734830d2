package analysis

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
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
	logs := testenv.Files(t, "../report/testdata/*.jsonl")
	for _, log := range logs {
		s := state(t, log, Moment{})
		for _, p := range s.processes {
			for _, by := range []By{ByKind, ByStack, ByFile, ByThread, ByFunction} {
				sum := 0
				for _, h := range s.holders(p, by) {
					things := map[thing]bool{}
					var walk func(*holder)
					walk = func(h *holder) {
						for _, x := range h.mappings {
							things[s.thingOf(p, x)] = true
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
				if n := len(s.objects(p)); by == ByKind && sum != n || sum < n {
					t.Errorf("%s by %s: %d things, the rows have %d", log, by, n, sum)
				}
			}
		}
	}
}

// TestPieces: a file that one owner maps at several places is one file, and what one call has mapped is one thing, though parts of it
// went or changed.
func TestPieces(t *testing.T) {
	file := func(seq int, start, offset uint64, path string, inode int) string {
		return fmt.Sprintf(`{"type":"event","seq":%d,"t":%d,"space":1,"pid":10,"tid":10,"call":"mmap","args":{"addr":"0x0","length":4096,"prot":1,"flags":2,"fd":3,"offset":%d},"result":"%#x","stack":null,"changes":[{"start":"%#x","end":"%#x","was":null,"now":{"perms":"r--p","offset":%d,"dev":"fe:00","inode":%d,"path":%q,"origin":%d}}]}`,
			seq, 10000*seq, offset, start, start, start+4096, offset, inode, path, seq)
	}
	s, err := Load(textLog(file(1, 0x7f0000000000, 0, "/srv/data", 7), file(2, 0x7f0000002000, 8192, "/srv/data", 7), file(3, 0x7f0000004000, 4096, "/srv/data", 7),
		file(4, 0x7f0000006000, 0, "/srv/more", 8), mapLine(5, 0x7f0000010000, 0x7f0000020000), unmapLine(6, 0x7f0000014000, 0x7f0000015000, 5)), Moment{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := s.Report(ReportOptions{}).Processes[0]
	want := map[string]int{"2 files": 4, "unknown": 2}
	for _, h := range p.Holders {
		if n, ok := want[h.Label]; ok && h.Mappings == n {
			delete(want, h.Label)
		}
	}
	if len(want) > 0 || p.Total.Count != 4 {
		t.Errorf("rows %v, %d things; no row %v", p.Holders, p.Total.Count, want)
	}
}
