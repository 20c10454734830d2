package mm

import (
	"strings"

	"github.com/vmblame/vmblame/internal/ledger"
)

// Verify compares the ledger with the kernel's view and corrects it. No call may be in flight. It returns the
// differences as drifts, growth of stacks first; the Guess of the others is why or, if that is "", the package's own
// guess. compared reports whether the view could be read. The result is valid until the next call of a method.
func (s *Space) Verify(why string) (drifts []Drift, compared bool) {
	if s.uncertain {
		s.uncertain, s.brk = false, 0 // two calls of brk(2) may have been reported in the wrong order
	}
	s.drifts = s.drifts[:0]
	rows, err := s.view.All()
	if err != nil {
		return nil, false
	}
	if !s.ledger.Differs(rows) {
		return nil, true
	}
	if len(s.growing) > 0 {
		s.noticeGrowth()
		if rows, err = s.view.All(); err != nil || !s.ledger.Differs(rows) {
			return s.drifts, true
		}
	}
	changes := s.ledger.Reconcile(everything, rows, ledger.Origin{Cause: ledger.Drift}, nil)
	if len(changes) > 0 {
		if why == "" {
			why = guess(changes)
		}
		s.drifts = append(s.drifts, Drift{Changes: changes, Guess: why})
	}
	return s.drifts, true
}

// guess names the probable way in which the kernel changed mappings without a call of the process.
func guess(changes []ledger.Change) string {
	for _, c := range changes {
		e := c.Now
		if e == nil {
			e = c.Was
		}
		switch {
		case strings.HasPrefix(e.File.Path, "[uprobes"):
			return "uprobe"
		case strings.HasPrefix(e.File.Path, "/dev/"):
			return "driver ioctl"
		}
	}
	return NoGuess
}
