package analysis

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

func opener(log string) Open {
	return func() (*eventlog.Reader, error) { return eventlog.Open(log) }
}

func state(t *testing.T, log string, at Moment, pids ...int) *State {
	t.Helper()
	s, err := Load(opener(log), at, pids)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEveryByteHeld: whatever a report lists by, its lines sum up to what is mapped, and nothing is without
// a kind and an owner.
func TestEveryByteHeld(t *testing.T) {
	logs := testenv.Files(t, "../report/testdata/*.jsonl")
	for _, log := range logs {
		for _, at := range []Moment{{}, {Kind: AtPeak}, {Kind: AtSeq, Seq: min(3, state(t, log, Moment{}).Seq)}, {Kind: AtStart}, {Kind: AtTime}} {
			s := state(t, log, at)
			for _, p := range s.processes {
				for i := range p.mappings {
					if x := &p.mappings[i]; x.Kind == "" || x.Name == "" || len(s.who(p, x).Calls) == 0 {
						t.Errorf("%s@%v: %v has no kind or no owner", log, at, x.Entry)
					}
				}
				for _, by := range []By{ByKind, ByStack, ByFile, ByThread, ByFunction} {
					for _, least := range []int64{0, 1 << 20} {
						var sum Totals
						for _, h := range s.reportProcess(p, ReportOptions{By: by, MinSize: least}).Holders {
							sum.Add(&h.Totals)
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
	const log = "../report/testdata/case.jsonl"
	mapped := func(at Moment) int64 {
		var n int64
		for _, p := range state(t, log, at).processes {
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
	if a, b := mapped(Moment{Kind: AtTime}), mapped(Moment{Kind: AtStart}); a == 0 || a != b {
		t.Errorf("at 0s %d, at the start %d", a, b)
	}
	if got := state(t, log, Moment{}).peak; got != mapped(Moment{Kind: AtPeak}) {
		t.Errorf("peak %d on the way to the end", got)
	}
	if _, err := Load(opener(log), Moment{}, []int{1}); !errors.Is(err, ErrNoProcess) {
		t.Errorf("no such process: %v", err)
	}
}

// TestUnnamedJemalloc: the rules see the return addresses in the log, so that jemalloc's own metadata is told apart
// from the memory it hands out even if its functions have no names.
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
	for i := range s.processes[0].mappings {
		got = append(got, string(s.processes[0].mappings[i].Kind))
	}
	if got := strings.Join(got, " "); got != "elf-text jemalloc-own jemalloc jemalloc-own" {
		t.Error(got)
	}
}

// TestPeakThroughExec: what a process leaves by an exec and what it begins are never mapped together.
func TestPeakThroughExec(t *testing.T) {
	open := textLog(mapLine(1, 0x7f0000000000, 0x7f0000002000),
		`{"type":"event","seq":2,"t":20000,"space":1,"pid":10,"tid":10,"call":"execve","args":{},"result":0,"stack":null,"changes":[]}`,
		`{"type":"space","space":2,"t":20000,"after":2,"pid":10,"cause":"exec","parent":1,"exe":"/bin/x","argv":["x"],"mappings":[`+pageOfExe+`]}`,
		`{"type":"thread","t":20000,"tid":10,"pid":10,"space":2,"what":"exec","name":"x"}`)
	for _, at := range []Moment{{}, {Kind: AtPeak}} {
		s, err := Load(open, at, nil)
		if err != nil {
			t.Fatal(err)
		}
		if s.peak != 3*4096 {
			t.Errorf("at %v: peak %d, want %d", at, s.peak, 3*4096)
		}
	}
}

// TestLastEvent: at the last event of a process it is still there.
func TestLastEvent(t *testing.T) {
	open := textLog(mapLine(1, 0x7f0000000000, 0x7f0000002000), mapLine(2, 0x7f0000100000, 0x7f0000102000),
		`{"type":"thread","t":90000,"tid":10,"pid":10,"space":1,"what":"exit","name":"x"}`)
	for seq, want := range []int64{1, 3, 5} {
		s, err := Load(open, Moment{Kind: AtSeq, Seq: uint64(seq)}, nil)
		if err != nil || len(s.processes) != 1 || s.processes[0].total().reserved != want<<12 {
			t.Errorf("at event %d: %+v, %v", seq, s, err)
		}
	}
}

// TestKilled: what was killed ended when its last thread did, not at the last snapshot there is of it.
func TestKilled(t *testing.T) {
	open := textLog(mapLine(1, 0x7f0000000000, 0x7f0000002000),
		`{"type":"snapshot","t":10001,"after":1,"space":1,"cause":"vsz","mappings":[`+pageOfExe[:len(pageOfExe)-1]+`,"rss":4096,"pss":4096,"private_dirty":0,"swap":0}]}`,
		mapLine(2, 0x7f0000100000, 0x7f0000102000),
		`{"type":"thread","t":900000000,"tid":10,"pid":10,"space":1,"what":"exit","name":"x"}`)
	s, err := Load(open, Moment{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := s.Report(ReportOptions{}).Processes[0]
	if !p.Ended || p.Until != 899999999 || *p.ResidentAt != 10001 || *p.Total.Resident != 4096 {
		t.Errorf("%+v", p)
	}
	// What came after the snapshot was not counted.
	for _, h := range p.Holders {
		if (h.Resident == nil) != (h.Kind != "elf-text") {
			t.Errorf("%+v", h)
		}
	}
}

// TestCounted: what no snapshot counted is not 0, a sum says how much of it was not, committed is no less than resident,
// and what processes share counts once between them.
func TestCounted(t *testing.T) {
	figures := func(m string, rss, pss int) string {
		return fmt.Sprintf(`%s,"rss":%d,"pss":%d,"private_dirty":0,"swap":0}`, m[:len(m)-1], rss, pss)
	}
	snapshot := func(space int, mappings ...string) string {
		return fmt.Sprintf(`{"type":"snapshot","t":30000,"after":1,"space":%d,"cause":"interval","mappings":[%s]}`, space, strings.Join(mappings, ","))
	}
	none := strings.Replace(mapLine(1, 0x7f0000000000, 0x7f0000002000), "rw-p", "---p", 1)
	guarded := `{"start":"0x7f0000000000","end":"0x7f0000002000",` + strings.Replace(anonPage(1), "rw-p", "---p", 1)[1:]
	open := textLog(none, forkLine, `{"type":"thread","t":16000,"tid":11,"pid":11,"space":2,"what":"start","name":"x"}`,
		snapshot(1, figures(pageOfExe, 4096, 2048), figures(guarded, 4096, 4096)), snapshot(2, figures(pageOfExe, 4096, 2048)), mapLine(2, 0x7f0000100000, 0x7f0000104000))
	s, err := Load(open, Moment{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := s.Report(ReportOptions{})
	p := r.Processes[0]
	if p.Total.Uncounted != 4<<12 || *p.Total.Resident != 8192 || r.Together == nil || r.Together.Processes != 2 || r.Together.Resident != nil {
		t.Errorf("%+v, %+v", p.Total, r.Together)
	}
	for _, h := range p.Holders {
		if h.Resident != nil && h.Committed < *h.Resident || (h.Resident == nil) != (h.Uncounted == h.Reserved) {
			t.Errorf("%+v", h.Totals)
		}
	}
	if s, err = Load(open, Moment{Kind: AtTime, T: 16000}, nil); err != nil {
		t.Fatal(err)
	}
	if n := s.Report(ReportOptions{}).Together; n == nil || n.Processes != 2 || n.Resident == nil || *n.Resident != 8192 || n.Reserved != 4<<12 {
		t.Errorf("%+v", n)
	}
}
