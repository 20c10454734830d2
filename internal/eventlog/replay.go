package eventlog

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// Replay is a Sink that folds records into the state of every address space at the moment of the last
// record. It is the same whether the records come from a log or from a recording that goes on. It is not
// safe for concurrent use; what its methods return may be read until the next Put.
type Replay struct {
	header  *Header
	end     *End
	seq     uint64
	t       int64
	spaces  []*SpaceState
	byID    map[int]*SpaceState
	threads []Thread
	byTID   map[int]int // the last of that tid in threads
	modules map[int]*Module
	stacks  stacks
	symbols map[symbolKey]*Symbol
	notes   []Note
	conv    converter
}

type symbolKey struct {
	module int
	offset Hex
}

// SpaceState is an address space at the moment of a replay. What it holds belongs to the Replay; a caller
// that wants to keep the ledger clones it.
type SpaceState struct {
	ID     int
	PID    int
	Cause  string // "launch", "attach", "fork", "exec"
	Parent int    // 0 for none
	Exe    string
	Argv   []string
	Began  int64  // t of its beginning
	After  uint64 // the last event of the parent before it
	Ledger *ledger.Ledger
	Last   uint64 // seq of its last event, 0 for none

	waiting []waiting
}

// NewReplay returns a Replay before the first record.
func NewReplay() *Replay {
	return &Replay{byID: map[int]*SpaceState{}, byTID: map[int]int{}, modules: map[int]*Module{}, symbols: map[symbolKey]*Symbol{}}
}

// Load replays the log at path up to its end, or, where stop is not nil, up to the first record of which
// stop returns true, which is left out. A cut log is replayed as far as it goes: the Replay is valid when
// the error is ErrCut. Where a record contradicts the ones before it, Load follows the record and goes on;
// Check is what finds that out.
func Load(path string, stop func(Record) bool) (*Replay, error) {
	r, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p := NewReplay()
	for {
		rec, err := r.Next()
		switch {
		case err == io.EOF:
			return p, nil
		case errors.Is(err, ErrCut):
			return p, err
		case err != nil:
			return nil, err
		case stop != nil && stop(rec):
			return p, nil
		}
		p.Put(rec)
	}
}

// Put folds one record. An error says that the record contradicts the state; the state then follows the
// record as far as it can, and the Replay remains usable.
func (p *Replay) Put(rec Record) error {
	switch r := rec.(type) {
	case *Header:
		h := *r
		h.Command = slices.Clone(r.Command)
		h.Environment = maps.Clone(r.Environment)
		p.header = &h
	case *Space:
		return p.putSpace(r)
	case *Thread:
		p.putThread(*r)
	case *Module:
		m := *r
		m.BuildID = clonePointer(r.BuildID)
		p.modules[r.Module] = &m
	case *Stack:
		p.stacks.put(r)
	case *Symbol:
		s := *r
		s.Frames = slices.Clone(r.Frames)
		p.symbols[symbolKey{r.Module, r.Offset}] = &s
	case *Event:
		return p.putEvent(r)
	case *Drift:
		return p.putDrift(r)
	case *Note:
		p.notes = append(p.notes, *r)
	case *End:
		e := *r
		e.Exit = clonePointer(r.Exit)
		p.end = &e
		p.t = max(p.t, r.T)
		return p.rest()
	}
	return nil
}

func (p *Replay) putThread(r Thread) {
	p.t = max(p.t, r.T)
	i, known := p.byTID[r.TID]
	if !known || r.What == "start" {
		p.byTID[r.TID] = len(p.threads)
		p.threads = append(p.threads, r)
		return
	}
	if r.Name == "" {
		r.Name = p.threads[i].Name
	}
	p.threads[i] = r
}

func (p *Replay) putSpace(r *Space) error {
	s := &SpaceState{ID: r.Space, PID: r.PID, Cause: r.Cause, Exe: r.Exe, Argv: slices.Clone(r.Argv), Began: r.T, After: r.After, Ledger: ledger.New()}
	if r.Parent != nil {
		s.Parent = *r.Parent
	}
	p.t = max(p.t, r.T)
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

func (p *Replay) putEvent(r *Event) error {
	p.seq = r.Seq
	p.t = max(p.t, r.T)
	s := p.byID[r.Space]
	if s == nil {
		return fmt.Errorf("space %d is not known", r.Space)
	}
	s.Last = r.Seq
	err := p.apply(s, r.Changes)
	if e := s.release(r.Seq); err == nil {
		err = e
	}
	return err
}

func (p *Replay) putDrift(r *Drift) error {
	p.t = max(p.t, r.T)
	s := p.byID[r.Space]
	if s == nil {
		return fmt.Errorf("space %d is not known", r.Space)
	}
	if r.After <= s.Last {
		err := p.apply(s, r.Changes)
		if r.After < s.Last {
			return &LateError{r.After, s.Last}
		}
		return err
	}
	// The record is the caller's again when Put returns.
	changes := cloneChanges(r.Changes)
	return p.when(s, r.After, func() error { return p.apply(s, changes) })
}

// apply makes changes in the ledger of s. Where they contradict it, it takes them over by force.
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
