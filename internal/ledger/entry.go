package ledger

import "github.com/vmblame/vmblame/internal/vm"

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

// Origin says what made a page be mapped at its present address. The zero Origin is no origin.
// Event numbers are the caller's: the ledger only carries and compares them.
type Origin struct {
	Event uint64 // number of the event, 0 where Cause is not FromEvent
	Exec  uint64 // with Kernel: number of the execve event, 0 at launch
	Cause Cause
}

// Moved says from where mremap(2) brought a piece.
type Moved struct {
	Start  uint64 // address at which the first byte of the piece stood before
	Origin Origin // the origin the piece had there
}

// Entry is a piece of one mapping with one origin. Neighbours of equal attributes and origin may stand
// as one entry or as several; entries of different origins are never one.
type Entry struct {
	vm.Mapping
	Origin Origin
	// Moved is nil unless Origin is an mremap that brought the pages from elsewhere. It is shared between
	// copies and never written to; a split makes a new one.
	Moved *Moved
}

// Change is one step of what an operation did: in Range, Was became Now. nil means not mapped.
// Was and Now cover exactly Range when they are not nil. The caller must not write through them.
type Change struct {
	vm.Range
	Was, Now *Entry
}
