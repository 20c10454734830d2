package analysis

import (
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// A Follower returns the state at the end of a log that is still being written, as often as it is asked. Each time it
// reads only what was added. It is not safe for concurrent use, but the states are independent of it and of each other.
type Follower struct {
	tail *eventlog.Tail
	fold folder // of what has been read; its state has no processes
	line int    // of the log, the last that has been read
}

// NewFollower returns a Follower of the log at path.
func NewFollower(path string) *Follower { return &Follower{tail: eventlog.NewTail(path)} }

// State returns what Load returns for the present end of the log. If measure is not nil, it is asked how much of each
// space in use is resident now; it returns nil if that is unknown.
func (f *Follower) State(measure func(*eventlog.SpaceState) *eventlog.Snapshot) (*State, error) {
	if err := f.read(); err != nil {
		f.tail.Again() // what was folded is a part of what was to be
		return nil, err
	}
	return f.fold.copied(measure), nil
}

// read folds what has been added.
func (f *Follower) read() error {
	r, fresh, err := f.tail.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	if fresh {
		f.fold, f.line = folder{known: classify.Known()}, 0
		f.fold.begin()
	}
	for {
		rec, err := r.Next()
		switch {
		case err == io.EOF, errors.Is(err, eventlog.ErrCut):
			f.line += r.Line() - 1
			return nil
		case err != nil:
			return err
		}
		if _, header := rec.(*eventlog.Header); !header || fresh {
			f.fold.put(rec, f.line+r.Line())
		}
	}
}

// copied returns a copy of the present state that later records do not change.
func (l *folder) copied(measure func(*eventlog.SpaceState) *eventlog.Snapshot) *State {
	old := l.state
	s := *old
	s.Cut = s.end == nil
	s.names, s.threads, s.failures = old.names.copied(), old.threads.copied(), old.failures.copied()
	s.origins = &origins{by: maps.Clone(old.origins.by)}
	s.advised = old.advised.copied()
	s.exits, s.limits = maps.Clone(old.exits), maps.Clone(old.limits)
	s.chains, s.unnamed = map[chainKey]callers.Chain{}, map[string][]Module{}
	now := *l
	now.state, now.measure = &s, measure
	replaced := l.replaced()
	for _, sp := range l.replay.Spaces() {
		if replaced[sp.ID] {
			continue
		}
		kept := *sp
		kept.Ledger = sp.Ledger.Clone()
		now.process(&kept, s.threads.over(sp.ID))
	}
	now.sort()
	return &s
}

// copied returns a copy of n that is only read. What grows by appending is shared.
func (n *Names) copied() *Names {
	c := *n
	c.modules, c.in, c.roles, c.builds = maps.Clone(n.modules), maps.Clone(n.in), maps.Clone(n.roles), maps.Clone(n.builds)
	c.stacks, c.symbols = maps.Clone(n.stacks), maps.Clone(n.symbols)
	calls := *n.calls
	c.calls = &calls
	c.ids, c.endIDs, c.strings, c.scratch = nil, nil, nil, nil
	return &c
}

// copied returns a copy of l.
func (l *threads) copied() *threads {
	c := l.asOf(maxLine)
	c.users = maps.Clone(l.users)
	return c
}

// copied returns a copy of a.
func (a *advised) copied() advised {
	c := advised{by: make(map[advisedKey]*Advised, len(a.by)), list: slices.Clone(a.list)}
	for k, x := range a.by {
		y := *x
		if x.GaveBack != nil {
			y.GaveBack, y.Brought, y.Left = plus(x.GaveBack, new(int64)), plus(x.Brought, new(int64)), plus(x.Left, new(int64))
		}
		c.by[k] = &y
	}
	return c
}

// copied returns a copy of f that is only read.
func (f *failures) copied() failures {
	c := failures{}
	for _, x := range f.list {
		y := *x
		c.list = append(c.list, &y)
	}
	return c
}
