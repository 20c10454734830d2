package eventlog

import (
	"fmt"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// stackChecks is what the check knows of stacks and names. There may be a million stacks, but far fewer distinct
// places.
type stackChecks struct {
	modules map[int]checkedModule
	stacks  map[int]span // by id, in slab
	slab    []uint32     // numbers of places, one stack after the other
	places  map[place]uint32
	list    []place        // by number
	named   map[Place]bool // every address in a frame; true once a symbol line names it
}

type checkedModule struct {
	path, dev string
	inode     uint64
}

type place struct {
	pc, offset Hex
	module     int
	call       bool
}

type span struct{ first, count int }

func (c *checker) module(r *Module) {
	_, twice := c.modules[r.Module]
	c.number("module", r.Module, &c.segment.Modules, twice)
	c.must(r.Path != "", "module %d: no path", r.Module)
	if _, err := vm.ParseDev(r.Dev); err != nil {
		c.problem("module %d: %v", r.Module, err)
	}
	c.modules[r.Module] = checkedModule{r.Path, r.Dev, r.Inode}
}

func (c *checker) stack(r *Stack) {
	_, twice := c.stacks[r.Stack]
	c.number("stack", r.Stack, &c.segment.Stacks, twice)
	complete := r.End == "undefined-ra" || r.End == "elf-entry" || r.End == "goexit"
	c.must(r.Complete == complete, "stack %d: complete is %v, and its end %q", r.Stack, r.Complete, r.End)
	c.must(r.End != "", "stack %d: no end", r.Stack)
	c.must(len(r.Frames) > 0, "stack %d: no frames", r.Stack)
	at := span{first: len(c.slab)}
	for i := range r.Frames {
		f := &r.Frames[i]
		m, ok := c.modules[f.Module]
		if !c.must(ok, "stack %d: frame %d: module %d is not known", r.Stack, i, f.Module) {
			break
		}
		c.must(f.Via != "", "stack %d: frame %d: no via", r.Stack, i)
		c.must((i == 0) == (f.Via == "pc"), "stack %d: frame %d: via %q", r.Stack, i, f.Via)
		c.must(f.Omitted == 0 || i > 0 && f.Omitted > 0, "stack %d: frame %d: %d omitted before it", r.Stack, i, f.Omitted)
		// Code has the same offset within its page in the file and in memory.
		c.must((f.PC^f.Offset)%vm.PageSize == 0 && (m.path != "[anon]" || f.Offset == f.PC), "stack %d: frame %d: offset %v cannot be mapped at %v", r.Stack, i, f.Offset, f.PC)
		c.slab = append(c.slab, c.place(f))
	}
	if len(r.Frames) > 0 {
		c.must(!r.Frames[0].Call, "stack %d: frame 0 cannot be a return address", r.Stack)
	}
	at.count = len(c.slab) - at.first
	c.stacks[r.Stack] = at
}

// place returns the number of the frame's place.
func (c *checker) place(f *Frame) uint32 {
	k := place{f.PC, f.Offset, f.Module, f.Call}
	n, ok := c.places[k]
	if !ok {
		n = uint32(len(c.list))
		c.places[k] = n
		c.list = append(c.list, k)
		if key := f.Place(); !c.named[key] {
			c.named[key] = false
		}
	}
	return n
}

// called is what problems call the event, or the advice.
func (r *Event) called() string {
	if r.Seq == 0 {
		return "advice"
	}
	return fmt.Sprintf("event %d", r.Seq)
}

// fits checks that each frame of an event's stack lies in code of its module, in the space as it was before the
// event.
func (c *checker) fits(r *Event, s *SpaceState) {
	if r.Stack == nil {
		return
	}
	at, ok := c.stacks[*r.Stack]
	if !ok {
		c.problem("%s: its stack is not known", r.called())
		return
	}
	u := c.usersOf(s.ID)
	if u.fitted[*r.Stack] {
		return
	}
	var before *place
	var mapped ledger.Entry // where that is
	for i, n := range c.slab[at.first : at.first+at.count] {
		p := &c.list[n]
		if e, ok := s.Ledger.At(uint64(p.pc)); ok && e.File.Inode == c.modules[p.module].inode && e.File.Inode != 0 {
			c.must(before == nil || before.module != p.module || mapped.Start != e.Start || before.pc-before.offset == p.pc-p.offset,
				"%s: frame %d of its stack, %v, is elsewhere in module %d than one before it says", r.called(), i, p.pc, p.module)
			before, mapped = p, e
		}
		if !c.inCode(p, s, uint64(p.pc)) && !(p.call && c.inCode(p, s, uint64(p.pc)-1)) {
			if at.count > 1 || c.modules[p.module].path != "[anon]" { // for 32-bit code only the pc is recorded
				c.problem("%s: frame %d of its stack, %v, is not in code of module %d", r.called(), i, p.pc, p.module)
			}
			return
		}
	}
	if u.fitted == nil {
		u.fitted = map[int]bool{}
	}
	u.fitted[*r.Stack] = true
}

// inCode reports whether pc lies in executable memory that belongs to the module of p.
func (c *checker) inCode(p *place, s *SpaceState, pc uint64) bool {
	e, ok := s.Ledger.At(pc)
	if !ok || e.Perms&vm.Exec == 0 {
		return false
	}
	switch m := c.modules[p.module]; m.path {
	case "[anon]":
		return e.File.Inode == 0
	case "[vdso]":
		return e.File.Path == m.path
	default:
		is := func(e *ledger.Entry) bool { return e.File.Inode == m.inode && e.File.Dev.String() == m.dev }
		if is(&e) || !e.File.InMemory() {
			return is(&e)
		}
		// Code that its program has moved to other pages: a neighbour tells the file.
		beside := func(next func(uint64) (ledger.Entry, bool), of func(*ledger.Entry) uint64) bool {
			at := of(&e)
			for range movedNearby {
				n, ok := next(at)
				if !ok || is(&n) {
					return ok
				}
				at = of(&n)
			}
			return false
		}
		return beside(s.Ledger.Before, func(e *ledger.Entry) uint64 { return e.Start }) || beside(s.Ledger.From, func(e *ledger.Entry) uint64 { return e.End })
	}
}

// movedNearby is how many mappings away from moved code the file of that code may be mapped.
const movedNearby = 8

// codeChanged makes fits check stacks again after code was mapped or unmapped.
func (c *checker) codeChanged(space int, changes []Change) {
	exec := func(a *Attr) bool { return a != nil && len(a.Perms) > 2 && a.Perms[2] == 'x' }
	for i := range changes {
		if exec(changes[i].Was) || exec(changes[i].Now) {
			c.forget(space)
			return
		}
	}
}

func (c *checker) forget(space int) { c.usersOf(space).fitted = nil }

func (c *checker) symbol(r *Symbol) {
	_, ok := c.modules[r.Module]
	c.must(ok, "symbol: module %d is not known", r.Module)
	c.must(r.Source != "", "symbol %v of module %d: no source", r.Offset, r.Module)
	c.must(len(r.Frames) > 0, "symbol %v of module %d: no name", r.Offset, r.Module)
	key := r.Place()
	named, ok := c.named[key]
	c.must(ok, "symbol %v of module %d: no frame stands there", r.Offset, r.Module)
	c.must(!named, "symbol %v of module %d: named a second time", r.Offset, r.Module)
	c.named[key] = true
	for i, f := range r.Frames {
		c.must(f.Function != "", "symbol %v of module %d: frame %d: no function", r.Offset, r.Module, i)
		c.must(f.Inlined == (i < len(r.Frames)-1), "symbol %v of module %d: frame %d: inlined is %v", r.Offset, r.Module, i, f.Inlined)
		if !f.Inlined {
			c.must(f.Start <= r.Offset, "symbol %v of module %d: %s starts behind it, at %v", r.Offset, r.Module, f.Function, f.Start)
		}
	}
}
