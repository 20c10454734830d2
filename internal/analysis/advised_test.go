package analysis

import (
	"slices"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// TestAdvised: what testdata/progs/advice.c did by madvise, in a growth, in reports of two moments, and in the history of a page.
// Its four threads give back 64 KiB each, half of which has gone when they try again, and populate 32 KiB of it.
func TestAdvised(t *testing.T) {
	open := func() (*eventlog.Reader, error) { return eventlog.Open("../eventlog/testdata/real-advice.jsonl") }
	g, err := ReadGrowth(open, GrowthOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list := g.Processes[0].Advised
	find := func(function string) *Advised {
		i := slices.IndexFunc(list, func(x Advised) bool { return slices.Contains(x.Calls, function) })
		if i < 0 {
			t.Fatalf("nothing by %s: %+v", function, list)
		}
		return &list[i]
	}
	const kib = 1024
	for _, c := range []struct {
		function, advice             string
		times, failed                int
		bytes, gave, brought, inside int64
	}{
		{"gives_back", "MADV_DONTNEED", 4, 0, 256 * kib, 256 * kib, 0, 0},
		{"gives_nothing", "MADV_DONTNEED", 4, 0, 256 * kib, 0, 0, 0},
		{"asks", "MADV_POPULATE_WRITE", 4, 0, 128 * kib, 0, 4 * 16 * kib, 128 * kib},
		{"may_go", "MADV_FREE", 4, 0, 64 * kib, 0, 0, 64 * kib},
		{"is_refused", "MADV_DONTNEED", 0, 4, 0, 0, 0, 0},
		{"goes_on", "MADV_DONTNEED", 0, 4, 0, 0, 0, 0},
	} {
		x := find(c.function)
		if x.Advice != c.advice || x.Times != c.times || x.Failed != c.failed || x.Bytes != c.bytes || *x.GaveBack != c.gave || *x.Brought != c.brought || *x.Left != c.inside {
			t.Errorf("%s: %+v: gave back %d, brought in %d, left %d", c.function, x, *x.GaveBack, *x.Brought, *x.Left)
		}
	}
	if !slices.Contains(list[0].Calls, "gives_back") || list[len(list)-1].Times != 0 {
		t.Errorf("the order: %+v", list)
	}

	var first *eventlog.Advice
	if _, err := each(open, func(r eventlog.Record, _ int) {
		if a, ok := r.(*eventlog.Advice); ok && first == nil {
			first = a
		}
	}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   Moment
		want int
	}{{Moment{Kind: AtTime, T: first.T - 1}, 0}, {Moment{Kind: AtTime, T: first.T}, 1}} {
		s, err := Load(open, c.at, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Report(ReportOptions{}).Processes[0].Advised; len(got) != c.want {
			t.Errorf("at %v: %d rows of advice, want %d", c.at, len(got), c.want)
		}
	}

	start, err := Load(open, Moment{Kind: AtStart}, nil)
	if err != nil {
		t.Fatal(err)
	}
	end, err := Load(open, Moment{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p := Compare(start, end, [2]string{"a", "b"}).Processes[0]; p.GivenBefore == nil || *p.GivenBefore != 0 || p.GivenAfter == nil || *p.GivenAfter < 256*kib {
		t.Errorf("given back: %v before, %v after", p.GivenBefore, p.GivenAfter)
	}

	at, _ := first.Range()
	h, err := ReadHistory(open, Moment{}, nil, at.Start, HistoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(h.Spaces[0].Steps, func(st Step) bool { return st.What == "advised" })
	if i < 0 {
		t.Fatalf("no advice in the history of %#x: %+v", at.Start, h.Spaces[0].Steps)
	}
	if st := h.Spaces[0].Steps[i]; st.Text != "64 KiB -> 0 in memory: MADV_DONTNEED" || st.TID != first.TID || !slices.Contains(st.Calls, "gives_back") {
		t.Errorf("the history of %#x: %+v", at.Start, st)
	}
}

// TestAdvisedWhileRecording: the summary of a recording has what a report has, and nothing of each thread.
func TestAdvisedWhileRecording(t *testing.T) {
	open := func() (*eventlog.Reader, error) { return eventlog.Open("../eventlog/testdata/real-advice.jsonl") }
	s, err := Load(open, Moment{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rec := NewRecording("")
	for {
		x, err := r.Next()
		if err != nil {
			break
		}
		_ = rec.Put(x)
	}
	all, kept := s.advised.list, rec.fold.state.advised.list
	if len(kept) == 0 || len(all) < 2*len(kept) {
		t.Errorf("a recording keeps %d sums of advice, a state %d", len(kept), len(all))
	}
	want := s.Report(ReportOptions{}).Processes[0].Advised
	for i := range want {
		want[i].Where = "" // a Recording has no lines of the source
	}
	if got := rec.Summary().Report.Processes[0].Advised; marshal(t, got) != marshal(t, want) {
		t.Errorf("%s\nwant\n%s", marshal(t, got), marshal(t, want))
	}
}
