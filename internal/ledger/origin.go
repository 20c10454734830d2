package ledger

import "fmt"

// Cause says why an Origin names no event.
type Cause uint8

// The causes, and the words the event log uses for them (Cause.String).
const (
	FromEvent    Cause = iota // an event made the pages be mapped here; Origin.Event says which
	BeforeAttach              // "before attach": they were there when the recording began
	Kernel                    // "kernel": made by exec, Origin.Exec says by which
	Drift                     // "drift": they appeared without a traced call
	StackGrowth               // "stack growth": the kernel grew a stack into them
)

// String returns the word the event log uses, "" for FromEvent.
func (c Cause) String() string {
	switch c {
	case BeforeAttach:
		return "before attach"
	case Kernel:
		return "kernel"
	case Drift:
		return "drift"
	case StackGrowth:
		return "stack growth"
	}
	return ""
}

// ParseCause reads the word the event log uses; "" is FromEvent.
func ParseCause(s string) (Cause, error) {
	for c := FromEvent; c <= StackGrowth; c++ {
		if c.String() == s {
			return c, nil
		}
	}
	return 0, fmt.Errorf("origin cause %q: unknown", s)
}

// Origin says what made a page be mapped at its present address. The zero Origin is no origin.
// Event numbers are the caller's: the ledger only carries and compares them.
type Origin struct {
	Event uint64 // number of the event, 0 where Cause is not FromEvent
	Exec  uint64 // with Kernel: number of the execve event, 0 at launch
	Cause Cause
}

// String describes o for messages: "event 12", "kernel (event 7)", "before attach".
func (o Origin) String() string {
	switch {
	case o.Cause == FromEvent:
		return fmt.Sprintf("event %d", o.Event)
	case o.Cause == Kernel && o.Exec != 0:
		return fmt.Sprintf("kernel (event %d)", o.Exec)
	}
	return o.Cause.String()
}
