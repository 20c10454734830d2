package report

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestEveryByteHeld: whatever a report lists by, its lines sum up to what is mapped, and nothing is without
// a kind and an owner.
func TestEveryByteHeld(t *testing.T) {
	logs, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs in testdata (%v)", err)
	}
	for _, log := range logs {
		for _, at := range []Moment{{}, {Kind: AtPeak}, {Kind: AtSeq, Seq: 3}, {Kind: AtTime, T: 1_000_000}} {
			s := scene(t, log, at)
			for _, p := range s.processes {
				for i := range p.pieces {
					if x := &p.pieces[i]; x.Kind == "" || x.Name == "" || len(s.who(p, x).Calls) == 0 {
						t.Errorf("%s@%v: %v has no kind or no owner", log, at, x.Entry)
					}
				}
				for _, by := range []By{ByKind, ByStack, ByFile, ByThread, ByFunction} {
					for _, least := range []int64{0, 1 << 20} {
						var sum Sums
						for _, h := range s.reportProcess(p, ReportOptions{By: by, MinSize: least}).Holders {
							sum.Add(&h.Sums)
							var parts int64
							for _, q := range h.Parts {
								parts += q.Reserved
							}
							if len(h.Parts) > 0 && by != ByStack && parts != h.Reserved {
								t.Errorf("%s@%v by %s: %s has %d bytes, its parts %d", log, at, by, h.Label, h.Reserved, parts)
							}
						}
						if sum.Reserved != int64(p.Ledger.Bytes()) || sum.Resident != nil && *sum.Resident != p.total().rss {
							t.Errorf("%s@%v by %s: %+v, want %d, %d", log, at, by, sum, p.Ledger.Bytes(), p.total().rss)
						}
					}
				}
			}
		}
	}
}

// TestMoments: the moments of a log are those of its ledger.
func TestMoments(t *testing.T) {
	const log = "testdata/case.jsonl"
	mapped := func(at Moment) int64 {
		var n int64
		for _, p := range scene(t, log, at).processes {
			n += int64(p.Ledger.Bytes())
		}
		return n
	}
	// The arena is 128 MiB for one event.
	if at7, at8, peak, end := mapped(Moment{Kind: AtSeq, Seq: 7}), mapped(Moment{Kind: AtSeq, Seq: 8}), mapped(Moment{Kind: AtPeak}), mapped(Moment{}); at7-at8 != 64<<20 || peak != at7 || end >= peak {
		t.Errorf("%d, %d, peak %d, end %d", at7, at8, peak, end)
	}
	if a, b := mapped(Moment{Kind: AtTime, T: 1_050_000}), mapped(Moment{Kind: AtSeq, Seq: 7}); a != b {
		t.Errorf("at a time %d, at its event %d", a, b)
	}
	if n := mapped(Moment{Kind: AtTime, T: 1}); n != 0 {
		t.Errorf("before the beginning: %d", n)
	}
	if got := scene(t, log, Moment{}).peak; got != mapped(Moment{Kind: AtPeak}) {
		t.Errorf("peak %d on the way to the end", got)
	}
	if _, err := Load(opener(log), Moment{}, []int{1}); !errors.Is(err, ErrNoProcess) {
		t.Errorf("no such process: %v", err)
	}
}

// TestAnswersFit: no line of a table is wider than the terminal, unless a single name is.
func TestAnswersFit(t *testing.T) {
	for _, width := range []int{80, 100, 160} {
		for name, answer := range answers {
			if name == "json" || name == "maps" || name == "blame" || name == "diff" {
				continue // stacks, and texts for programs
			}
			for line := range strings.Lines(string(answer(t, "testdata/case.jsonl", text.Style{Width: width, Log: "case.jsonl"}))) {
				line = strings.TrimSuffix(line, "\n")
				if strings.HasPrefix(line, "next:") || strings.HasPrefix(line, "pid ") {
					continue
				}
				if n := utf8.RuneCountInString(line); n > width {
					t.Errorf("%s: width %d: %d columns: %s", name, width, n, line)
				}
			}
		}
	}
}

// TestColour: colours only where they are asked for.
func TestColour(t *testing.T) {
	for name, answer := range answers {
		if name == "maps" || name == "json" {
			continue
		}
		plain := answer(t, "testdata/case.jsonl", text.Style{Width: 100})
		if bytes.Contains(plain, []byte("\x1b")) {
			t.Errorf("%s: colours unasked", name)
		}
		if !bytes.Contains(answer(t, "testdata/case.jsonl", text.Style{Width: 100, Color: true}), []byte("\x1b")) {
			t.Errorf("%s: no colours", name)
		}
	}
}

// TestSimilar: parts that look alike on a terminal become one, and lose no byte.
func TestSimilar(t *testing.T) {
	part := func(label string, bytes int64, calls ...string) Row {
		return Row{Label: label, Who: Who{calls, 1}, Sums: Sums{Reserved: bytes, Count: 1}}
	}
	list := mergeSimilar([]Row{part("of thread 1 a", 1, "f", "main"), part("of thread 2 b", 2, "f", "main"), part("rtree", 4, "f", "main"), part("of thread 3 c", 8, "g", "main")})
	if len(list) != 3 || list[0].Reserved != 3 || list[0].Label != "2 of these" || list[1].Label != "rtree" {
		t.Errorf("%+v", list)
	}
}

// TestBound: the crossing is told with its call and stack, once.
func TestBound(t *testing.T) {
	var b bytes.Buffer
	feed(t, "testdata/case.jsonl", NewBound(&b, 100<<20))
	text := b.String()
	for _, word := range []string{"pid 9817 silly has 140.", "more than 100.0 MiB", "thread 9838 worker", "mmap(NULL, 134217728, PROT_NONE", "luaL_loadfilex"} {
		if !strings.Contains(text, word) {
			t.Errorf("%q is missing in:\n%s", word, text)
		}
	}
	if n := strings.Count(text, "vmblame:"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// FuzzScene: no log makes a view of a finished log panic.
func FuzzScene(f *testing.F) {
	addLogs(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		open := func() (*eventlog.Reader, error) { return eventlog.NewReader(bytes.NewReader(data)) }
		for _, at := range []Moment{{}, {Kind: AtPeak}, {Kind: AtSeq, Seq: 2}} {
			s, err := Load(open, at, nil)
			if err != nil {
				continue
			}
			l := text.Style{Width: 80}
			for _, by := range []By{ByKind, ByStack, ByFile, ByThread, ByFunction} {
				s.Report(ReportOptions{By: by, MinSize: 1 << 16}).Text(l)
			}
			s.Report(ReportOptions{Sort: SortVMAs}).Text(l)
			decoded(t, s.Blame(Question{Range: vm.Range{End: 1 << 63}, Stacks: true})).Text(l)
			decoded(t, Compare(s, s, [2]string{"a", "b"})).Text(l)
			if len(s.processes) > 0 && len(s.processes[0].pieces) > 0 {
				h, err := ReadHistory(open, at, nil, s.processes[0].pieces[0].Start, HistoryOptions{Calls: true, Stacks: true})
				if err != nil {
					t.Fatal(err)
				}
				decoded(t, h).Text(l)
			}
		}
	})
}

// TestUnnamedJemalloc: a log's return addresses reach the rules, so that a jemalloc without names has its
// metadata told apart from what it hands out.
func TestUnnamedJemalloc(t *testing.T) {
	lines := []string{`{"type":"module","module":1,"path":"/usr/lib/libjemalloc.so.2","build_id":null,"dev":"fe:00","inode":7}`}
	for i, offsets := range [][]uint64{{0x100, 0x200, 0x300, 0x900}, {0x100, 0x200, 0x400}, {0x100, 0x200, 0x300, 0x800}} {
		var frames []string
		for _, o := range offsets {
			frames = append(frames, fmt.Sprintf(`{"pc":"%#x","module":1,"offset":"%#x","via":"cfi","call":true}`, o, o))
		}
		at := uint64(0x7f0000000000 + i<<21)
		lines = append(lines, fmt.Sprintf(`{"type":"stack","stack":%d,"frames":[%s],"complete":true,"end":"undefined-ra"}`, i+1, strings.Join(frames, ",")),
			strings.Replace(mapLine(i+1, at, at+2<<20), `"stack":null`, fmt.Sprintf(`"stack":%d`, i+1), 1))
	}
	s, err := Load(textLog(lines...), Moment{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range s.processes[0].pieces {
		got = append(got, string(s.processes[0].pieces[i].Kind))
	}
	if got := strings.Join(got, " "); got != "elf-text jemalloc-own jemalloc jemalloc-own" {
		t.Error(got)
	}
}
