package report

import (
	"iter"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// names keeps what module, stack and symbol records say, each frame and string once, so that a
// recording's stacks cost four bytes a frame.
type names struct {
	lines   bool // keep file and line of symbols
	modules map[int]Module
	frames  []frame         // every distinct frame
	ids     map[frame]int32 // index into frames
	stacks  map[int]stack
	symbols map[place][]function
	strings map[string]string
}

// A place is an address that symbols are looked up for.
type place struct {
	module int
	addr   uint64 // the file's own virtual address
}

type frame struct {
	place // its addr is the frame's own, not the one looked up
	call  bool
}

// lookup is the address whose symbol names the frame.
func (f frame) lookup() place {
	if f.call {
		f.addr--
	}
	return f.place
}

type stack struct {
	frames []int32
	end    string // why the walk stopped early, "" where it did not
}

type function struct {
	name, file string
	line       int
	start      uint64
	inlined    bool
}

// A step is one line of a stack: a function that was called, or one inlined into it.
type step struct {
	frame    int    // 0 for the innermost; functions inlined there have the same
	module   string // path
	addr     uint64 // as in the stack record
	function        // name is "" where no symbol covers the address
}

func newNames(lines bool) *names {
	return &names{
		lines:   lines,
		modules: map[int]Module{},
		ids:     map[frame]int32{},
		stacks:  map[int]stack{},
		symbols: map[place][]function{},
		strings: map[string]string{},
	}
}

// put takes r if it is of a kind that names keeps.
func (n *names) put(r eventlog.Record) {
	switch r := r.(type) {
	case *eventlog.Module:
		m := Module{Path: r.Path}
		if r.BuildID != nil {
			m.BuildID = *r.BuildID
		}
		n.modules[r.Module] = m
	case *eventlog.Stack:
		n.putStack(r)
	case *eventlog.Symbol:
		n.putSymbol(r)
	}
}

func (n *names) putStack(r *eventlog.Stack) {
	s := stack{frames: make([]int32, len(r.Frames))}
	for i, f := range r.Frames {
		key := frame{place{f.Module, uint64(f.Offset)}, f.Call}
		id, ok := n.ids[key]
		if !ok {
			id = int32(len(n.frames))
			n.frames = append(n.frames, key)
			n.ids[key] = id
		}
		s.frames[i] = id
	}
	if !r.Complete {
		s.end = n.intern(r.End)
	}
	n.stacks[r.Stack] = s
}

func (n *names) putSymbol(r *eventlog.Symbol) {
	chain := make([]function, len(r.Frames))
	for i, f := range r.Frames {
		chain[i] = function{name: n.intern(f.Function), start: uint64(f.Start), inlined: f.Inlined}
		if n.lines {
			chain[i].file, chain[i].line = n.intern(f.File), f.Line
		}
	}
	n.symbols[place{r.Module, uint64(r.Offset)}] = chain
}

func (n *names) intern(s string) string {
	if t, ok := n.strings[s]; ok {
		return t
	}
	n.strings[s] = s
	return s
}

func (n *names) module(id int) string {
	if p, ok := n.modules[id]; ok {
		return p.Path
	}
	return "?"
}

// walk yields the steps of a stack, innermost first.
func (n *names) walk(id int) iter.Seq[step] {
	return func(yield func(step) bool) {
		for i, id := range n.stacks[id].frames {
			f := n.frames[id]
			s := step{frame: i, module: n.module(f.module), addr: f.addr}
			chain := n.symbols[f.lookup()]
			if len(chain) == 0 && !yield(s) {
				return
			}
			for _, fn := range chain {
				s.function = fn
				if !yield(s) {
					return
				}
			}
		}
	}
}
