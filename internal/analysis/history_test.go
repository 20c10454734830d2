package analysis

import (
	"strings"
	"testing"
)

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
