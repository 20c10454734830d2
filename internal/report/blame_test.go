package report

import (
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// TestBlameOfAnotherRun: a text of which no row is mapped is said to be of another process or run; one of which a row is, is not.
func TestBlameOfAnotherRun(t *testing.T) {
	rows := []analysis.BlamedRow{{Start: 0x10000, End: 0x11000}, {Start: 0x20000, End: 0x22000}}
	b := &analysis.Blame{Processes: []analysis.BlamedProcess{{PID: 7, Name: "a", Rows: rows}}}
	const why = "none of 2 rows is mapped in this process at that moment. The text is of another process, or of another run"
	if got := string(Blame(b, text.Style{Whole: true})); !strings.Contains(got, why) {
		t.Errorf("it is not said why nothing fits: %s", got)
	}
	rows[1].Mapped = 4096
	if got := string(Blame(b, text.Style{Whole: true})); strings.Contains(got, why) {
		t.Errorf("something fits, and yet: %s", got)
	}
}
