package analysis

import (
	"iter"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/vm"
)

// Names stores what module, stack and symbol records say, and each frame, call and string only once.
type Names struct {
	rules   *callers.Rules
	lines   bool // keep file and line of symbols
	modules map[int]Module
	in      map[int]callers.Module // the same
	roles   roles
	builds  map[vm.File]string // build ids
	roots   []string           // of the systems that modules are of
	frames  []frame            // every distinct frame
	ids     map[frame]int32    // index into frames
	calls   *callTree          // of frames
	stacks  map[int]stack
	scratch []int32          // frames of one stack
	ends    []string         // why walks stop early, each once
	endIDs  map[string]int32 // as in stack
	symbols map[place][]function
	strings map[string]string
}

// A place is an address that symbols are looked up for.
type place struct {
	module int
	addr   uint64 // the file's own virtual address
}

type frame struct {
	place   // its addr is the frame's own, not the one looked up
	call    bool
	omitted int // number of frames, before this one, that were not recorded
}

// lookup returns the address to look up: for a return address, the last byte of the call before it.
func (f frame) lookup() place {
	if f.call {
		f.addr--
	}
	return f.place
}

type stack struct {
	node int32 // of its innermost frame among the calls
	end  int32 // index into ends, counted from 1; 0 where the walk is complete
}

type function struct {
	name, file string
	unit       string // as in the log
	global     bool   // a symbol table has it as global: local to no compilation unit
	line       int
	start      uint64
	inlined    bool
}

// A step is one line of a stack: a function that was called, or one inlined into it.
type step struct {
	omitted  int    // number of frames not recorded that it stands for; only frame is set
	frame    int    // 0 for the innermost; functions inlined there have the same
	module   string // path
	in       callers.Module
	buildID  string // of the module, "" for none
	addr     uint64 // as in the stack record
	function        // name is "" where no symbol covers the address
}

func NewNames(lines bool, known *classify.Catalogue) *Names {
	return &Names{
		rules:   known.Callers(),
		lines:   lines,
		modules: map[int]Module{},
		in:      map[int]callers.Module{},
		roles:   roles{},
		builds:  map[vm.File]string{},
		ids:     map[frame]int32{},
		calls:   newCallTree(),
		stacks:  map[int]stack{},
		endIDs:  map[string]int32{},
		symbols: map[place][]function{},
		strings: map[string]string{},
	}
}

// Put stores r if it is a module, stack or symbol record.
func (n *Names) Put(r eventlog.Record) {
	switch r := r.(type) {
	case *eventlog.Module:
		m := Module{Path: r.Path}
		if r.BuildID != nil {
			m.BuildID = *r.BuildID
		}
		n.modules[r.Module] = m
		n.putModule(r)
	case *eventlog.Stack:
		n.putStack(r)
	case *eventlog.Symbol:
		n.putSymbol(r)
	}
}

func (n *Names) putStack(r *eventlog.Stack) {
	n.scratch = n.scratch[:0]
	for _, f := range r.Frames {
		key := frame{place{f.Module, uint64(f.Offset)}, f.Call, f.Omitted}
		id, ok := n.ids[key]
		if !ok {
			id = int32(len(n.frames))
			n.frames = append(n.frames, key)
			n.ids[key] = id
		}
		n.scratch = append(n.scratch, id)
	}
	s := stack{node: n.calls.add(n.scratch)}
	if !r.Complete && r.End != "" {
		end, ok := n.endIDs[r.End]
		if !ok {
			n.ends = append(n.ends, r.End)
			end = int32(len(n.ends))
			n.endIDs[r.End] = end
		}
		s.end = end
	}
	n.stacks[r.Stack] = s
}

// putModule takes what a module is.
func (n *Names) putModule(r *eventlog.Module) {
	m := callers.Module{Path: r.Path, Role: callers.Role(r.Role)}
	n.in[r.Module] = m
	if dev, err := vm.ParseDev(r.Dev); err == nil && r.Inode != 0 {
		f := vm.File{Dev: dev, Inode: r.Inode}
		n.roles[f] = m.Role
		if r.BuildID != nil {
			n.builds[f] = *r.BuildID
		}
	}
	if root, ok := m.Root(); ok && root != "" && !slices.Contains(n.roots, root) {
		n.roots = append(n.roots, root)
	}
}

// role returns the role of a mapped file, if the recording has examined it.
func (n *Names) role(f vm.File) callers.Role { return n.roles[fileKey(f)] }

// fileKey identifies a file by device and inode, whatever its path.
func fileKey(f vm.File) vm.File { return vm.File{Dev: f.Dev, Inode: f.Inode} }

// roles maps files, without their paths, to their roles.
type roles map[vm.File]callers.Role

// known reports whether the recording has looked at files; earlier versions did not.
func (r roles) known() bool {
	for _, role := range r {
		if role != callers.Unknown {
			return true
		}
	}
	return false
}

// stackEnd says why the walk of a stack stopped early, "" where it did not.
func (n *Names) stackEnd(id int) string {
	if s := n.stacks[id]; s.end != 0 {
		return n.ends[s.end-1]
	}
	return ""
}

func (n *Names) putSymbol(r *eventlog.Symbol) {
	chain := make([]function, len(r.Frames))
	for i, f := range r.Frames {
		chain[i] = function{name: n.intern(f.Function), start: uint64(f.Start), inlined: f.Inlined}
		if n.lines {
			chain[i].file, chain[i].line = n.intern(f.File), f.Line
			chain[i].unit, chain[i].global = n.intern(f.Unit), strings.HasPrefix(r.Source, "symtab") && f.File == "" && f.Unit == ""
		}
	}
	n.symbols[place{r.Module, uint64(r.Offset)}] = chain
}

func (n *Names) intern(s string) string {
	if t, ok := n.strings[s]; ok {
		return t
	}
	n.strings[s] = s
	return s
}

// walk yields the steps of a stack, innermost first.
func (n *Names) walk(id int) iter.Seq[step] {
	return func(yield func(step) bool) {
		for i, id := range n.calls.frames(n.stacks[id].node) {
			f := n.frames[id]
			if f.omitted > 0 && !yield(step{frame: i, omitted: f.omitted}) {
				return
			}
			s := step{frame: i, module: "?", in: callers.Named("?"), addr: f.addr}
			if m, ok := n.modules[f.module]; ok {
				s.module, s.buildID, s.in = m.Path, m.BuildID, n.in[f.module]
			}
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
