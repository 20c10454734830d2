package report

import (
	"strconv"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// momentText names a moment of a log: "the end, 4.2 s", "the peak, 1.5 s", "0.5 s", "event 12, 0.1 s".
func momentText(a *analysis.At) string {
	m, _ := analysis.ParseMoment(a.Moment)
	switch m.Kind {
	case analysis.AtPeak:
		return "the peak, " + text.When(a.T)
	case analysis.AtTime:
		return text.When(m.T)
	case analysis.AtSeq:
		return "event " + strconv.FormatUint(m.Seq, 10) + ", " + text.When(a.T)
	}
	if a.Cut {
		return "the cut, " + text.When(a.T)
	}
	return "the end, " + text.When(a.T)
}
