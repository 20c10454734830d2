package classify

import (
	"errors"
	"io"
	"testing"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
)

// recorded is a log that has been replayed up to some record.
type recorded struct {
	*eventlog.Replay
	events    map[uint64]*Event
	snapshots map[int]*eventlog.Snapshot // the last of each space
	threads   []eventlog.Thread          // all records
	stacks    map[int]*eventlog.Stack
	modules   map[int]*eventlog.Module
	symbols   map[address]*eventlog.Symbol
}

// address is where a symbol is found.
type address struct {
	module int
	offset eventlog.Hex
}

// replayLog reads a log; until, where not nil, ends it at the first record it is true of.
func replayLog(t testing.TB, path string, until func(eventlog.Record) bool) *recorded {
	t.Helper()
	r, err := eventlog.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := &recorded{Replay: eventlog.NewReplay(), events: map[uint64]*Event{}, snapshots: map[int]*eventlog.Snapshot{},
		stacks: map[int]*eventlog.Stack{}, modules: map[int]*eventlog.Module{}, symbols: map[address]*eventlog.Symbol{}}
	for {
		rec, err := r.Next()
		if err == io.EOF || errors.Is(err, eventlog.ErrCut) {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		if until != nil && until(rec) {
			return p
		}
		switch x := rec.(type) {
		case *eventlog.Event:
			p.event(x)
		case *eventlog.Thread:
			p.threads = append(p.threads, *x)
		case *eventlog.Snapshot:
			s := *x
			s.Mappings = append([]eventlog.SnapshotMapping(nil), x.Mappings...)
			p.snapshots[x.Space] = &s
		case *eventlog.Stack:
			p.stacks[x.Stack] = x
		case *eventlog.Module:
			p.modules[x.Module] = x
		case *eventlog.Symbol:
			p.symbols[address{x.Module, x.Offset}] = x
		}
		if err := p.Put(rec); err != nil {
			t.Logf("%s: %v", path, err)
		}
	}
}

func (p *recorded) frames(stack int) []eventlog.Frame {
	if s := p.stacks[stack]; s != nil {
		return s.Frames
	}
	return nil
}

func (p *recorded) event(x *eventlog.Event) {
	e := &Event{Seq: x.Seq, T: x.T, Call: x.Call, PID: x.PID, TID: x.TID, FD: -1}
	for _, a := range x.Args {
		switch a.Name {
		case "addr", "old_address", "brk":
			e.Addr = uint64(a.Value)
		case "length", "new_size", "size":
			e.Length = uint64(a.Value)
		case "prot":
			e.Prot = uint64(a.Value)
		case "flags", "shmflg":
			e.Flags = uint64(a.Value)
		case "fd":
			e.FD = int64(int32(a.Value))
		}
	}
	if x.Result != nil {
		e.Result = uint64(x.Result.Value)
	}
	if x.Stack != nil {
		e.Stack = *x.Stack
	}
	for i := range x.Changes {
		c := &x.Changes[i]
		if c.Now != nil && c.Now.MovedFrom != nil && c.Now.MovedFrom.Origin != nil {
			e.Over = NewOver(p.events[*c.Now.MovedFrom.Origin])
			break
		}
		if c.Was != nil && c.Was.Origin != nil {
			e.Over = NewOver(p.events[*c.Was.Origin])
			break
		}
	}
	p.events[x.Seq] = e
}

// space is what Classify takes, of the space with that id.
func (p *recorded) space(id int) *Space {
	st := p.Space(id)
	s := &Space{PID: st.PID, Exe: st.Exe, Entries: []ledger.Entry{}}
	for e := range st.Ledger.All {
		s.Entries = append(s.Entries, e)
	}
	s.Event = func(seq uint64) *Event { return p.events[seq] }
	s.Frames = func(id int, yield func(callers.Call) bool) {
		for _, f := range p.frames(id) {
			module := callers.Named("?")
			if m := p.modules[f.Module]; m != nil {
				module = callers.Module{Path: m.Path, Role: callers.Role(m.Role)}
			}
			at := address{f.Module, f.Offset}
			if f.Call {
				at.offset--
			}
			y := p.symbols[at]
			if y == nil || len(y.Frames) == 0 {
				if !yield(callers.Call{Module: module}) {
					return
				}
				continue
			}
			for _, sf := range y.Frames {
				if !yield(callers.Call{Function: sf.Function, Module: module}) {
					return
				}
			}
		}
	}
	s.Addresses = func(id int, yield func(addr uint64) bool) {
		for _, f := range p.frames(id) {
			if !yield(uint64(f.Offset)) {
				return
			}
		}
	}
	for _, t := range p.threads {
		if t.Space != id {
			continue
		}
		if t.What != "exit" {
			s.Threads = append(s.Threads, Thread{TID: t.TID, PID: t.PID, Name: t.Name, SP: uint64(t.SP), TLS: uint64(t.TLS), Start: t.T})
			continue
		}
		for i := len(s.Threads) - 1; i >= 0; i-- {
			if x := &s.Threads[i]; x.TID == t.TID {
				x.End = t.T
				if t.Name != "" {
					x.Name = t.Name
				}
				break
			}
		}
	}
	return s
}
