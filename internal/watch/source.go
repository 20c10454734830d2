package watch

import (
	"errors"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// A Source provides what is watched. Its methods are called from several goroutines, but each method by one at a time.
type Source interface {
	// Name is what the view calls it.
	Name() string
	// Next waits for the next state, and returns the present one at first. io.EOF says that there will be no other. The
	// state is the caller's.
	Next() (*analysis.State, error)
	// Past yields states from before the first that Next returned, in their order, until yield returns false. A state is not
	// used any more when yield returns.
	Past(yield func(*analysis.State) bool) error
	// Load returns the state at an earlier moment, or ErrNotKept.
	Load(at analysis.Moment) (*analysis.State, error)
	// Detail is all that is known of an address of a process at a moment: lines of text.
	Detail(at analysis.Moment, pid int, addr uint64, l text.Style) (string, error)
}

// ErrNotKept means that the state of a moment is not available any more.
var ErrNotKept = errors.New("not kept: only its sums are")
