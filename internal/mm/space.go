package mm

import (
	"errors"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// View is what the kernel says is mapped in an address space, as /proc/PID/maps shows it now. The slices that
// it returns are valid until the next call.
type View interface {
	// All returns every row.
	All() ([]vm.Mapping, error)
	// In returns the rows that touch a range, whole.
	In(vm.Range) ([]vm.Mapping, error)
	// PageSize returns the page size in bytes of row, the only row that the last call of In returned.
	PageSize(row vm.Mapping) uint64
}

// Space is one address space. Its methods must be called in the order in which the kernel served the calls.
type Space struct {
	view     View
	ledger   *ledger.Ledger
	hugePage uint64
	brk      uint64 // the program break, 0 where it is not known
	growing  []growing
	// uncertain reports whether the ledger may be wrong and must be verified when no call is in flight.
	uncertain bool
	drifts    []Drift // reused

	// Only during ApplyAmong: its arguments, and what its view lacks.
	told    *Return
	ret     Return // what told points to
	late    []Late
	hidden  []hidden     // reused
	rows    []vm.Mapping // reused
	doubt   bool         // a range that was asked for is hidden and its state unknown
	lasting bool         // and it will still be unknown after the late calls have been applied
	blind   bool         // Outcome.Unseen
}

// Drift is a change that the kernel shows and no call explains. The ledger already includes it.
type Drift struct {
	Changes []ledger.Change
	// Guess is the probable cause: "stack growth", "uprobe", "driver ioctl", NoGuess, or the argument of Verify.
	Guess string
	// Beside is the event that made the mapping which grew; 0 for the main stack, and for drift that is no growth.
	Beside uint64
}

// NoGuess is the guess of a drift whose cause nothing tells.
const NoGuess = "unknown"

// Load returns the space that a view shows, with all of it attributed to origin o. hugePage is the default huge page
// size in bytes.
func Load(view View, hugePage uint64, o ledger.Origin) (*Space, error) {
	rows, err := view.All()
	if err != nil {
		return nil, err
	}
	s := Blind(hugePage)
	s.view = view
	s.ledger.Load(rows, func(vm.Mapping) ledger.Origin { return o })
	for _, row := range rows {
		if row.File.Path == "[stack]" {
			s.growing = append(s.growing, growing{top: row.End - 1, main: true})
		}
	}
	return s, nil
}

// Blind returns a space whose mappings cannot be read: its ledger is empty, and it has no view.
func Blind(hugePage uint64) *Space {
	return &Space{view: noView{}, ledger: ledger.New(), hugePage: hugePage}
}

// Fork returns the copy that fork(2) makes of a space. It has no view until Attach. NoticeGrowth must have been
// called on the parent just before.
func (s *Space) Fork() *Space {
	return &Space{view: noView{}, ledger: s.ledger.Clone(), hugePage: s.hugePage, brk: s.brk,
		growing: append([]growing(nil), s.growing...)}
}

// Attach gives a forked space its view, enters how it differs from the parent's (MADV_DONTFORK, MADV_WIPEONFORK), and
// returns these changes.
func (s *Space) Attach(view View) []ledger.Change {
	s.view = view
	rows, err := view.All()
	if err != nil || !s.ledger.Differs(rows) {
		return nil
	}
	return s.ledger.Reconcile(everything, rows, ledger.Origin{Cause: ledger.Drift}, nil)
}

// Look replaces the view by another one of the same address space.
func (s *Space) Look(view View) { s.view = view }

// Detach takes the view away: the address space has ended.
func (s *Space) Detach() { s.view = noView{} }

// noView stands for the view of a space that has none.
type noView struct{}

var errNoView = errors.New("nothing shows what is mapped")

func (noView) All() ([]vm.Mapping, error)        { return nil, errNoView }
func (noView) In(vm.Range) ([]vm.Mapping, error) { return nil, errNoView }
func (noView) PageSize(vm.Mapping) uint64        { return vm.PageSize }

var everything = vm.Range{Start: 0, End: vm.AddressMax}

// Ledger is who owns the pages. It is read-only, and valid as long as the space is.
func (s *Space) Ledger() *ledger.Ledger { return s.ledger }

// Covered reports whether all of a range is mapped.
func (s *Space) Covered(r vm.Range) bool { return s.ledger.Covered(r) }

// Break is the program break, 0 where it is not known.
func (s *Space) Break() uint64 { return s.brk }

// SetBreak sets the program break; 0 is unknown.
func (s *Space) SetBreak(now uint64) { s.brk = now }

// MarkUncertain says that the ledger may be wrong.
func (s *Space) MarkUncertain() { s.uncertain = true }

// Uncertain reports whether the ledger may be wrong: Verify is due as soon as no call is in flight.
func (s *Space) Uncertain() bool { return s.uncertain }

// RemoveEarly takes a range out of the ledger before the kernel has unmapped it, and appends the changes to dst.
func (s *Space) RemoveEarly(r vm.Range, dst []ledger.Change) []ledger.Change {
	return s.ledger.Remove(r, dst)
}

// PutBack restores what RemoveEarly took and the kernel did not unmap after all. No other call may have been admitted
// to the range meanwhile.
func (s *Space) PutBack(taken []ledger.Change) {
	for _, c := range taken {
		s.ledger.Add(*c.Was, nil)
	}
}

// StillThere reports whether the kernel still shows everything that RemoveEarly took. The call was then not made, for
// no other call can have mapped it again meanwhile. It reports false if nothing was taken.
func (s *Space) StillThere(taken []ledger.Change) bool {
	for _, c := range taken {
		rows, err := s.view.In(c.Range)
		if err != nil {
			return false
		}
		next := c.Start
		for _, row := range rows {
			if row.Start > next || !c.Was.Agrees(row) {
				return false
			}
			next = row.End
		}
		if next < c.End {
			return false
		}
	}
	return len(taken) > 0
}

// at returns the kernel's row that covers addr.
func (s *Space) at(addr uint64) (vm.Mapping, bool) {
	rows, err := s.in(vm.Range{Start: addr, End: addr + 1})
	if err != nil || len(rows) == 0 || !rows[0].Contains(addr) {
		return vm.Mapping{}, false
	}
	return rows[0], true
}
