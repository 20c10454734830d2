package order

import (
	"time"

	"github.com/vmblame/vmblame/internal/vm"
)

// class says how a call is ordered against others of its address space.
type class uint8

const (
	unordered class = iota // changes nothing whose order matters
	chooser                // the kernel chooses the address
	fixed                  // the range is known at entry
	exclusive              // the range is unknown: conflicts with all but unordered
)

// Call is one call as the gate of its address space sees it. The caller owns it and may use it again once it
// has been released.
type Call struct {
	// Owner is free for the caller's use; the gate does not touch it.
	Owner any
	// Uncertain is set where the call was in the kernel together with one that it conflicts with: its place
	// in the order is then a guess. Classify clears it.
	Uncertain bool

	op       *vm.Op
	class    class
	at       vm.Range // the range of a fixed call or a brk
	isBrk    bool     // a brk whose range is known
	narrow   bool
	live     bool   // the whole of at was mapped when the call was let go
	active   bool   // in flight or waiting
	stuck    bool   // in the kernel for longer than others are made to wait
	brks     uint64 // see Gate.BreakStood
	admitted time.Time
}

// Facts answers what ordering needs to know of an address space.
type Facts interface {
	// Break is the program break, 0 where it is not known.
	Break() uint64
	// Covered reports whether all of a range is mapped.
	Covered(vm.Range) bool
}

// Classify says how a call is ordered, given what is known of its address space at its entry. op stays the caller's;
// it must not change before the call is released. A narrow (32-bit) call has other arguments and limits than a 64-bit
// one, so its range is taken as unknown.
func (c *Call) Classify(op *vm.Op, narrow bool, space Facts) {
	c.op, c.class, c.at, c.isBrk, c.narrow = op, exclusive, op.Range, false, narrow
	c.Uncertain, c.active, c.stuck, c.live = false, false, false, false
	switch op.Kind {
	case vm.OpMap:
		c.class = chooser
		if op.Fixed {
			c.class = fixed
		}
	case vm.OpUnmap, vm.OpRemapFile, vm.OpName:
		c.class = fixed
	case vm.OpProtect:
		if op.Prot&(vm.ProtGrowsDown|vm.ProtGrowsUp) == 0 {
			c.class = fixed
		}
	case vm.OpBrk:
		c.classifyBrk(space.Break())
	case vm.OpClone:
		if op.CloneFlags&vm.CloneVM != 0 {
			c.class = unordered
		}
	case vm.OpAdvise, vm.OpExec, vm.OpPersonality, vm.OpSetMM:
		c.class = unordered
	}
	if narrow && c.class != unordered {
		c.class = exclusive
	}
}

// classifyBrk classifies a brk, given the program break now, 0 if unknown.
func (c *Call) classifyBrk(now uint64) {
	to := c.op.Addr
	c.class, c.at, c.isBrk = exclusive, vm.Range{}, false
	switch {
	case to == 0:
		c.class = unordered
	case now == 0:
	case vm.PageUp(to) >= vm.PageUp(now):
		c.class, c.isBrk = chooser, true
		c.at = vm.Range{Start: vm.PageUp(now), End: vm.PageUp(to)}
	default:
		c.class, c.isBrk = fixed, true
		c.at = vm.Range{Start: vm.PageUp(to), End: vm.PageUp(now)}
	}
}

// At is the call's range, as far as it is known at its entry.
func (c *Call) At() vm.Range { return c.at }

// OnlyRemoves reports whether the call can do nothing but remove what is mapped at At. Its place in the order can be
// settled at its entry: no other call can map there before the kernel has removed it, and any can right afterwards,
// long before the return is seen.
func (c *Call) OnlyRemoves() bool {
	return c.class == fixed && (c.op.Kind == vm.OpUnmap || c.op.Kind == vm.OpBrk)
}

// Active reports whether the call waits or is in flight.
func (c *Call) Active() bool { return c.active }

// Conflicts reports whether c may not be in the kernel together with o.
func (c *Call) Conflicts(o *Call) bool {
	switch {
	case c.class == unordered || o.class == unordered:
		return false
	case c.class == exclusive || o.class == exclusive:
		return true
	case c.isBrk && o.isBrk:
		return true
	case c.class == fixed && o.class == fixed:
		return c.at.Overlaps(o.at)
	case c.class == fixed && o.class == chooser:
		return c.opens()
	case c.class == chooser && o.class == fixed:
		return o.opens()
	}
	return false
}

// opens reports whether the kernel may choose a place in the range of a fixed call before the call's place in the order
// can be told: there is a hole, or the call may make one. A MAP_FIXED of a file unmaps what is there before it asks the
// file, which may refuse (mm/vma.c, __mmap_region), and remap_file_pages(2) is one.
func (c *Call) opens() bool {
	return !c.live || c.op.Kind == vm.OpMap && c.op.Flags&vm.MapAnonymous == 0 || c.op.Kind == vm.OpRemapFile
}

// movesBreak reports whether the call is a brk(2) that may move the program break.
func (c *Call) movesBreak() bool { return c.op.Kind == vm.OpBrk && c.class != unordered }
