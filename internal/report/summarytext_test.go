package report

import (
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// TestSummaryPeak: the peak that a summary shows is of all processes together, and says so where the peak that stands above it
// is of one.
func TestSummaryPeak(t *testing.T) {
	for _, c := range []struct {
		processes int
		want      string
	}{{1, "vmblame: what follows is of the peak, 0.0020 s:\n"}, {2, "vmblame: what follows is of the peak of all processes together, 0.0020 s:\n"}} {
		end := analysis.ReportProcess{PID: 10, Exe: "/bin/x", Ended: true, Peak: 64 << 20, PeakT: 3e6}
		s := &analysis.Summary{Processes: c.processes, Report: &analysis.Report{Processes: []analysis.ReportProcess{end}}, Peak: &analysis.Report{Processes: []analysis.ReportProcess{end}}}
		s.Peak.T = 2e6
		if got := string(Summary(s, text.Style{Width: 120})); !strings.Contains(got, c.want) || !strings.Contains(got, "(peak 64.0 MiB at 0.0030 s)") {
			t.Errorf("%d processes:\n%s", c.processes, got)
		}
	}
}
