package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
)

// textLog is a log in memory: a header, a space (id 1, pid 10) with a page of its executable, and lines.
func textLog(lines ...string) Open { return textLogIn(`{"overcommit":0}`, lines...) }

// textLogIn is textLog with that environment.
func textLogIn(environment string, lines ...string) Open {
	text := `{"type":"header","format":"vmblame","version":1,"tool":"t","mode":"run","command":["x"],"started":"2026-01-01T00:00:00Z","host":{"kernel":"6.1","arch":"x86_64","page_size":4096,"cpus":2,"hostname":"h"},"environment":` + environment + `}
{"type":"space","space":1,"t":1,"after":0,"pid":10,"cause":"launch","parent":null,"exe":"/bin/x","argv":["x"],"mappings":[` + pageOfExe + `]}
{"type":"thread","t":1,"tid":10,"pid":10,"space":1,"what":"start","name":"x"}
` + strings.Join(lines, "\n") + "\n"
	return func() (*eventlog.Reader, error) { return eventlog.NewReader(strings.NewReader(text)) }
}

const pageOfExe = `{"start":"0x400000","end":"0x401000","perms":"r-xp","offset":0,"dev":"fe:00","inode":9,"path":"/bin/x","origin":null,"origin_cause":"kernel","exec":null}`

// mapLine and unmapLine are events of 10000 ns each.
func mapLine(seq int, start, end uint64) string {
	return fmt.Sprintf(`{"type":"event","seq":%d,"t":%d,"space":1,"pid":10,"tid":10,"call":"mmap","args":{"addr":"0x0","length":%d,"prot":3,"flags":34,"fd":-1,"offset":0},"result":"%#x","stack":null,"changes":[{"start":"%#x","end":"%#x","was":null,"now":%s}]}`,
		seq, 10000*seq, end-start, start, start, end, anonPage(seq))
}

func unmapLine(seq int, start, end uint64, origin int) string {
	return fmt.Sprintf(`{"type":"event","seq":%d,"t":%d,"space":1,"pid":10,"tid":10,"call":"munmap","args":{"addr":"%#x","length":%d},"result":0,"stack":null,"changes":[{"start":"%#x","end":"%#x","was":%s,"now":null}]}`,
		seq, 10000*seq, start, end-start, start, end, anonPage(origin))
}

func anonPage(origin int) string {
	return fmt.Sprintf(`{"perms":"rw-p","offset":0,"dev":"00:00","inode":0,"path":"","origin":%d}`, origin)
}

// churn is n times a mapping of one size and its end, at the same address.
func churn(n, seq int, size uint64) (lines []string) {
	const at = 0x7f0000000000
	for range n {
		lines = append(lines, mapLine(seq+1, at, at+size), unmapLine(seq+2, at, at+size, seq+1))
		seq += 2
	}
	return lines
}

func history(t *testing.T, o HistoryOptions, lines ...string) *History {
	t.Helper()
	h, err := ReadHistory(textLog(lines...), Moment{}, nil, 0x7f0000000000, o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestRepeatedSteps: what comes again and again at an address is told once, and how often; what differs is
// told for itself.
func TestRepeatedSteps(t *testing.T) {
	lines := append(churn(1000, 0, 8192), churn(3, 2000, 4096)...)
	lines = append(lines, mapLine(2007, 0x7f0000000000, 0x7f0000002000))
	h := history(t, HistoryOptions{}, lines...)
	steps := h.Spaces[0].Steps
	var verbs []string
	total := 0
	for i := range steps {
		st := &steps[i]
		verbs = append(verbs, st.What)
		if st.What == Repeated {
			total += st.Steps * st.Times
		} else {
			total++
		}
	}
	if got := strings.Join(verbs, " "); got != "mapped freed repeated mapped freed repeated mapped" || total != 2007 {
		t.Fatalf("%s: %d steps in all, want 2007", got, total)
	}
	if r := steps[2]; r.Times != 999 || r.Steps != 2 || r.T != 30000 || *r.Last != 20000000 {
		t.Errorf("%+v", r)
	}
	for _, width := range []int{0, 80} {
		text := string(decoded(t, h).Text(text.Style{Whole: width == 0, Width: width}))
		if !strings.Contains(text, "and so on: the same 2 steps 999 times more") || strings.Count(text, "\n") > 12 {
			t.Errorf("%s", text)
		}
	}
	if h := history(t, HistoryOptions{Stacks: true}, lines...); len(h.Spaces[0].Steps) != 2007 {
		t.Errorf("each: %d steps", len(h.Spaces[0].Steps))
	}
}

// TestTwiceIsNoRepetition: the same twice is told twice.
func TestTwiceIsNoRepetition(t *testing.T) {
	if h := history(t, HistoryOptions{}, churn(2, 0, 8192)...); len(h.Spaces[0].Steps) != 4 {
		t.Errorf("%+v", h.Spaces[0].Steps)
	}
}

// TestRepeatedBeforeFork: what the parent does after a fork is no part of what the child took over.
func TestRepeatedBeforeFork(t *testing.T) {
	lines := churn(10, 0, 8192)
	lines = append(lines, mapLine(21, 0x7f0000000000, 0x7f0000002000),
		`{"type":"space","space":2,"t":210000,"after":21,"pid":11,"cause":"fork","parent":1,"exe":"/bin/x","argv":["x"],"mappings":[`+pageOfExe+`,{"start":"0x7f0000000000","end":"0x7f0000002000",`+anonPage(21)[1:]+`]}`,
		unmapLine(22, 0x7f0000000000, 0x7f0000002000, 21))
	lines = append(lines, churn(10, 22, 8192)...)
	h, err := ReadHistory(textLog(lines...), Moment{}, []int{11}, 0x7f0000000000, HistoryOptions{})
	if err != nil || len(h.Spaces) != 1 {
		t.Fatalf("%+v, %v", h, err)
	}
	// mapped, freed, 9 times more, mapped, forked: as it was at the fork.
	steps := h.Spaces[0].Steps
	if len(steps) != 5 || steps[2].What != Repeated || steps[2].Times != 9 || steps[3].What != "mapped" || steps[4].Calls[0] != "as pid 10 had it" {
		t.Errorf("%+v", steps)
	}
	if h := history(t, HistoryOptions{}, lines...); len(h.Spaces) != 2 || len(h.Spaces[1].Steps) != 1 {
		t.Errorf("with its parent: %+v", h.Spaces)
	}
}

// TestLongHistoryOnTerminal: a terminal shows the first and the last steps and says how many are between.
func TestLongHistoryOnTerminal(t *testing.T) {
	var lines []string
	for i := range 200 {
		lines = append(lines, churn(1, 2*i, uint64(4096*(i+1)))...)
	}
	h := history(t, HistoryOptions{}, lines...)
	if text := string(decoded(t, h).Text(text.Style{Width: 100})); !strings.Contains(text, "... 300 steps more") || strings.Count(text, "\n") != 2*ends+4 {
		t.Errorf("%d lines", strings.Count(text, "\n"))
	}
	if text := string(decoded(t, h).Text(text.Style{Whole: true})); strings.Count(text, "\n") != 403 {
		t.Errorf("whole: %d lines", strings.Count(text, "\n"))
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

// TestLastEvent: at the last event of a process it is still there; behind the last of all is the end.
func TestLastEvent(t *testing.T) {
	open := textLog(mapLine(1, 0x7f0000000000, 0x7f0000002000), mapLine(2, 0x7f0000100000, 0x7f0000102000),
		`{"type":"thread","t":90000,"tid":10,"pid":10,"space":1,"what":"exit","name":"x"}`)
	for seq, want := range []int64{1, 3, 5} {
		s, err := Load(open, Moment{Kind: AtSeq, Seq: uint64(seq)}, nil)
		if err != nil || len(s.processes) != 1 || s.processes[0].total().reserved != want<<12 {
			t.Errorf("at event %d: %+v, %v", seq, s, err)
		}
	}
	h, err := ReadHistory(open, Moment{Kind: AtSeq, Seq: 3}, nil, 0x7f0000000000, HistoryOptions{})
	if err != nil || len(h.Spaces) != 1 || len(h.Spaces[0].Steps) != 1 || h.Moment != "end" {
		t.Errorf("%+v, %v", h, err)
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
	if text := string(s.Report(ReportOptions{}).Text(text.Style{Whole: true})); !strings.Contains(text, "mapped at its end, 0.9000 s") || !strings.Contains(text, "(counted at 0.0000 s, the nearest snapshot)") {
		t.Errorf("%s", text)
	}
}
