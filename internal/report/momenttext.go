package report

import (
	"strconv"

	"github.com/vmblame/vmblame/internal/text"
)

// momentText names a moment of a log: "the end, 4.2 s", "the peak, 1.5 s", "0.5 s", "event 12, 0.1 s".
func (a *At) momentText() string {
	m, _ := ParseMoment(a.Moment)
	switch m.Kind {
	case AtPeak:
		return "the peak, " + text.When(a.T)
	case AtTime:
		return text.When(m.T)
	case AtSeq:
		return "event " + strconv.FormatUint(m.Seq, 10) + ", " + text.When(a.T)
	}
	if a.Cut {
		return "the cut, " + text.When(a.T)
	}
	return "the end, " + text.When(a.T)
}

func (s *Scene) momentText() string {
	at := s.at()
	return at.momentText()
}
