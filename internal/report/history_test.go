package report

import (
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// TestLongHistoryOnTerminal: a terminal shows the first and the last steps and says how many are between; what
// came again and again is one line.
func TestLongHistoryOnTerminal(t *testing.T) {
	steps := make([]analysis.Step, 400)
	for i := range steps {
		steps[i] = analysis.Step{T: int64(i), Event: uint64(i + 1), What: "mapped", Start: 0x1000, End: 0x2000, Who: analysis.Who{Calls: []string{"f"}, Keep: 1}}
	}
	last := int64(500)
	steps[399] = analysis.Step{What: analysis.Repeated, Steps: 2, Times: 999, Last: &last}
	h := &analysis.History{Address: 0x1000, Spaces: []analysis.SpaceHistory{{PID: 10, Exe: "/bin/x", Steps: steps}}}
	for _, c := range []struct {
		style text.Style
		lines int
	}{{text.Style{Width: 100, Rows: 20}, 2*ends + 4}, {text.Style{Width: 120}, 403}, {text.Style{Whole: true}, 403}} {
		got := string(History(h, c.style))
		if strings.Count(got, "\n") != c.lines || strings.Contains(got, "... 300 steps more") != (c.style.Rows > 0) || !strings.Contains(got, "and so on: the same 2 steps 999 times more") {
			t.Errorf("%+v: %d lines:\n%s", c.style, strings.Count(got, "\n"), got)
		}
	}
}
