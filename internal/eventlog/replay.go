package eventlog

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// Replay is a Sink that folds records into the state of every address space at the moment of the last record. The
// state is the same whether the records come from a log or a running recording. Records that change no address space
// are skipped. It is not safe for concurrent use; what its methods return is valid until the next Put.
type Replay struct {
	seq    uint64
	spaces []*SpaceState
	byID   map[int]*SpaceState
	conv   converter
}

// SpaceState is an address space at the current point of a replay. It belongs to the Replay; to keep the ledger,
// clone it.
type SpaceState struct {
	ID     int
	PID    int
	Cause  string // "launch", "attach", "fork", "exec", "segment"
	Parent int    // 0 for none
	Exe    string
	Argv   []string
	// Environment is what its program began with, under a fork child its parent's; nil where that is not known.
	Environment *SpaceEnvironment
	Began       int64  // t of its beginning
	After       uint64 // the last event of the parent before it
	Ledger      *ledger.Ledger
	Last        uint64 // seq of its last event, 0 for none
}

// A LateError says that a record's "after" is not the last event of its space.
type LateError struct {
	After uint64 // what the record says
	Last  uint64 // the last event of its space before it
}

// Error names both events.
func (e *LateError) Error() string {
	return fmt.Sprintf("it comes after event %d, but the last event of its space before it is %d", e.After, e.Last)
}

// comesAfter compares the "after" of a record with the last event of its space.
func (s *SpaceState) comesAfter(after uint64) error {
	if after != s.Last {
		return &LateError{after, s.Last}
	}
	return nil
}

// NewReplay returns a Replay before the first record.
func NewReplay() *Replay { return &Replay{byID: map[int]*SpaceState{}} }

// Seq is the seq of the last event, 0 before the first.
func (p *Replay) Seq() uint64 { return p.seq }

// Spaces returns all address spaces in the order of their beginning, those that have ended too.
func (p *Replay) Spaces() []*SpaceState { return p.spaces }

// Space returns the address space with that id, nil where there is none.
func (p *Replay) Space(id int) *SpaceState { return p.byID[id] }

// Put folds one record. An error says that the record contradicts the state; the state then follows the
// record as far as it can, and the Replay remains usable.
func (p *Replay) Put(rec Record) error {
	switch r := rec.(type) {
	case *Header:
		if r.Segment != nil {
			p.seq = r.Segment.Events
		}
	case *Space:
		return p.putSpace(r)
	case *Event:
		p.seq = r.Seq
		s := p.byID[r.Space]
		if s == nil {
			return fmt.Errorf("space %d is not known", r.Space)
		}
		s.Last = r.Seq
		return p.apply(s, r.Changes)
	case *Drift:
		s := p.byID[r.Space]
		if s == nil {
			return fmt.Errorf("space %d is not known", r.Space)
		}
		return cmp.Or(p.apply(s, r.Changes), s.comesAfter(r.After))
	}
	return nil
}

func (p *Replay) putSpace(r *Space) error {
	s := &SpaceState{ID: r.Space, PID: r.PID, Cause: r.Cause, Exe: r.Exe, Argv: slices.Clone(r.Argv), Began: r.T, After: r.After, Ledger: ledger.New()}
	if r.Parent != nil {
		s.Parent = *r.Parent
	}
	if s.Environment = r.Environment; s.Environment == nil && p.byID[s.Parent] != nil {
		s.Environment = p.byID[s.Parent].Environment
	}
	if r.Cause == "segment" {
		s.Last = r.After
	}
	var first error
	if _, ok := p.byID[r.Space]; ok {
		first = fmt.Errorf("space %d begins a second time", r.Space)
	}
	p.spaces = append(p.spaces, s)
	p.byID[r.Space] = s
	for i := range r.Mappings {
		m := &r.Mappings[i]
		e, err := p.conv.entry(m.Start, m.End, &m.Attr)
		switch {
		case err != nil:
			err = fmt.Errorf("mapping %d: %w", i, err)
		case !s.Ledger.Free(e.Range):
			err = fmt.Errorf("mapping %d: %v stands there already", i, e.Range)
		default:
			s.Ledger.Add(e, nil)
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// apply makes changes in the ledger of s. Changes that contradict the ledger are forced.
func (p *Replay) apply(s *SpaceState, changes []Change) error {
	if len(changes) == 0 {
		return nil
	}
	list, err := p.conv.list(changes)
	if err != nil {
		return err
	}
	if err = s.Ledger.Apply(list); err == nil {
		return nil
	}
	for i := range list {
		c := &list[i]
		if c.Empty() || (c.Start|c.End)%vm.PageSize != 0 {
			continue
		}
		s.Ledger.Remove(c.Range, nil)
		if c.Now != nil {
			s.Ledger.Add(*c.Now, nil)
		}
	}
	return err
}

// Forget drops an address space. Later records about it refer to an unknown space.
func (p *Replay) Forget(space int) {
	delete(p.byID, space)
	p.spaces = slices.DeleteFunc(p.spaces, func(s *SpaceState) bool { return s.ID == space })
}
