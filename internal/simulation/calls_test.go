package simulation

import (
	"math/bits"
	"slices"
	"syscall"

	"github.com/vmblame/vmblame/internal/vm"
)

// request is a call of a thread, and how the kernel will serve it: whether it fails, and how far it has come then.
type request struct {
	id   uint32
	op   vm.Op
	fail bool // it fails before it has changed anything
	half bool // it fails after a part
	// Once served:
	value   uint64
	errno   syscall.Errno
	touched set             // the pages that it changed
	left    [pageCount]page // all, as it left them
	mapped  set
	child   *kernel
}

// someRange is a range of the arena or the heap, mostly small.
func someRange(rng *dice) (from, to int) {
	n := 1 + rng.IntN(5)
	if rng.IntN(20) == 0 {
		n = 1 + rng.IntN(20)
	}
	from = rng.IntN(heapEnd - n + 1)
	return from, from + n
}

// ask makes up a call.
func (k *kernel) ask(rng *dice, id uint32) request {
	c := request{id: id, fail: rng.IntN(16) == 0, half: rng.IntN(8) == 0}
	from, to := someRange(rng)
	size := uint64(to-from) * vm.PageSize
	onRange := func(kind vm.OpKind) vm.Op {
		return vm.Op{Kind: kind, Range: rangeOf(from, to), Addr: addr(from), Len: size}
	}
	prot := uint64(rng.IntN(8))
	switch n := rng.IntN(100); {
	case n < 26:
		c.op = vm.Op{Kind: vm.OpMap, Len: size, Prot: prot, Flags: mapFlags(rng)}
		ofFile(rng, &c.op)
	case n < 36:
		c.op = onRange(vm.OpMap)
		c.op.Prot, c.op.Flags, c.op.Fixed = prot, mapFlags(rng)|vm.MapFixed, true
		ofFile(rng, &c.op)
		if rng.IntN(3) == 0 {
			c.op.NoReplace = true
			c.op.Flags |= vm.MapFixedNoReplace
		}
	case n < 62:
		c.op = onRange(vm.OpUnmap)
	case n < 74:
		c.op = onRange(vm.OpProtect)
		c.op.Prot = prot
	case n < 77: // of the stack, which may have grown unseen
		from, to = stackLow+rng.IntN(6), stackTop
		size = uint64(to-from) * vm.PageSize
		c.op = onRange(vm.OpProtect)
		c.op.Prot = vm.ProtRead | vm.ProtWrite
		if rng.IntN(3) == 0 {
			from = stackTop - 1
			size = vm.PageSize
			c.op = onRange(vm.OpProtect)
			c.op.Prot = vm.ProtRead | vm.ProtGrowsDown
		}
	case n < 85:
		c.op = vm.Op{Kind: vm.OpBrk, Addr: addr(heapStart) + rng.Uint64N((heapEnd-heapStart)*vm.PageSize)}
		if rng.IntN(8) == 0 {
			c.op.Addr = 0
		}
	case n < 92:
		c.op = k.askRemap(rng, onRange(vm.OpRemap))
	case n < 93:
		c.op = onRange(vm.OpAdvise)
	case n < 94:
		c.op = vm.Op{Kind: vm.OpAioSetup, Len: size}
		if rng.IntN(2) == 0 {
			c.op = vm.Op{Kind: vm.OpAioDestroy, Addr: addr(from)}
			if len(k.rings) > 0 {
				c.op.Addr = addr(k.rings[rng.IntN(len(k.rings))].at)
			}
		}
	case n < 96:
		c.op = vm.Op{Kind: vm.OpShmAttach, Len: size, FD: int(k.object() | segment)}
		if at, found := k.attached(rng); found && rng.IntN(2) == 0 { // over a part of another one
			c.op.Addr, c.op.Flags = addr(at), vm.ShmRemap
			c.op.Len = min(size, addr(arenaEnd)-addr(at))
		}
	case n < 97:
		c.op = vm.Op{Kind: vm.OpShmDetach, Addr: addr(from)}
		if at, found := k.attached(rng); found && rng.IntN(4) != 0 {
			c.op.Addr = addr(at)
		}
	case n < 98:
		c.op = onRange(vm.OpRemapFile)
		c.op.Offset = rng.Uint64N(4) * vm.PageSize
	case n < 99:
		c.op = vm.Op{Kind: vm.OpClone}
	default:
		c.op = vm.Op{Kind: vm.OpExec}
		if rng.IntN(8) != 0 {
			c.op = vm.Op{Kind: vm.OpUnmap, Range: rangeOf(0, heapEnd), Addr: addr(0), Len: heapEnd * vm.PageSize}
		}
	}
	return c
}

// attached is where a segment has been attached a piece of which is still there.
func (k *kernel) attached(rng *dice) (at int, found bool) {
	first := rng.IntN(arenaEnd)
	for n := range arenaEnd {
		i := (first + n) % arenaEnd
		if p := &k.pages[i]; k.has(i) && p.file&segment != 0 && int(p.offset) <= i {
			return i - int(p.offset), true
		}
	}
	return 0, false
}

func mapFlags(rng *dice) uint64 {
	switch rng.IntN(6) {
	case 0:
		return vm.MapShared | vm.MapAnonymous
	case 1:
		return vm.MapPrivate // of a file
	}
	return vm.MapPrivate | vm.MapAnonymous
}

// ofFile chooses the file and the place in it of a mapping that is not anonymous.
func ofFile(rng *dice, op *vm.Op) {
	if op.Flags&vm.MapAnonymous == 0 {
		op.FD, op.Offset = 1+rng.IntN(3), rng.Uint64N(4)*vm.PageSize
	}
}

func (k *kernel) askRemap(rng *dice, op vm.Op) vm.Op {
	op.NewLen = uint64(1+rng.IntN(8)) * vm.PageSize
	switch rng.IntN(6) {
	case 0:
	case 1:
		from, _ := someRange(rng)
		op.Flags = vm.RemapMayMove | vm.RemapFixed
		op.Target = vm.RangeOf(addr(from), min(op.NewLen, addr(heapEnd)-addr(from)))
		op.NewLen = op.Target.Len()
	case 2:
		op.Flags = vm.RemapMayMove | vm.RemapDontUnmap
		op.NewLen = op.Len
	case 3:
		op.Flags = vm.RemapMayMove
		op.Len, op.Range.End = 0, op.Range.Start
	default:
		op.Flags = vm.RemapMayMove
	}
	return op
}

// serve performs a call, as one step: the kernel has its lock. readImpliesExec is the thread's personality.
func (k *kernel) serve(rng *dice, c *request, readImpliesExec bool) {
	before, mappedBefore, dirty := k.pages, k.mapped, k.dirty
	k.dirty = 0
	k.perform(rng, c, readImpliesExec)
	for rest := k.dirty; rest != 0; rest &= rest - 1 {
		if i := bits.TrailingZeros64(uint64(rest)); k.pages[i] != before[i] {
			c.touched |= 1 << i
		}
	}
	c.touched |= k.mapped ^ mappedBefore
	c.left, c.mapped = k.pages, k.mapped
	k.dirty |= dirty
}

func (k *kernel) perform(rng *dice, c *request, readImpliesExec bool) {
	op := &c.op
	s := pagesOf(op.Range)
	from, to := int(op.Range.Start/vm.PageSize)-base, int(op.Range.End/vm.PageSize)-base
	perms := func() vm.Perms {
		p := vm.ProtPerms(op.Prot)
		if readImpliesExec && p&vm.Read != 0 {
			p |= vm.Exec
		}
		return p
	}
	if c.fail && op.Kind != vm.OpBrk {
		if c.errno = eNoMem; op.Kind == vm.OpProtect {
			c.errno = eAcces
		}
		for i := from; c.half && op.Kind == vm.OpProtect && i < (from+to)/2 && k.has(i); i++ {
			k.protect(i, perms())
		}
		return
	}
	switch op.Kind {
	case vm.OpMap:
		n := int(op.Len / vm.PageSize)
		switch {
		case op.NoReplace && k.mapped&s != 0:
			c.errno = eExist
			return
		case op.Fixed && c.half && op.Flags&vm.MapAnonymous == 0: // what stood there is gone, and nothing came
			k.remove(s)
			c.errno = eInval
			return
		case op.Fixed && c.half && rng.IntN(8) == 0: // of anonymous memory only where the kernel has none
			k.remove(s)
			c.errno = eNoMem
			return
		case !op.Fixed:
			if from = k.gap(rng, n); from < 0 {
				c.errno = eNoMem
				return
			}
		default:
			k.remove(s)
		}
		p := page{perms: perms(), by: c.id}
		switch {
		case op.Flags&vm.MapAnonymous == 0:
			p.file, p.offset = uint16(op.FD), uint16(op.Offset/vm.PageSize)
		case op.Flags&vm.MapTypeMask == vm.MapShared:
			p.file, p.perms = k.object(), p.perms|vm.Shared
		}
		for i := range n {
			q := p
			if q.file != 0 {
				q.offset += uint16(i)
			}
			k.put(from+i, q)
		}
		c.value = addr(from)
	case vm.OpUnmap:
		k.remove(s)
	case vm.OpProtect:
		if op.Prot&vm.ProtGrowsDown != 0 {
			if !k.has(from) || !k.pages[from].growsDown {
				c.errno = eInval
				return
			}
			from, _ = k.row(from)
		}
		for i := from; i < to; i++ {
			if !k.has(i) {
				c.errno = eNoMem // what stands before the hole has changed
				return
			}
			k.protect(i, perms())
		}
	case vm.OpBrk:
		k.setBrk(c, readImpliesExec)
	case vm.OpRemap:
		k.remap(rng, c)
	case vm.OpAdvise:
		if k.has(from) && rng.IntN(2) == 0 {
			p := k.edit(from)
			p.split = !p.split
		}
	case vm.OpShmAttach:
		n := int(op.Len / vm.PageSize)
		at := k.gap(rng, n)
		if op.Addr != 0 {
			at = int(op.Addr/vm.PageSize) - base
			k.remove(span(at, at+n))
			if c.half {
				c.errno = eInval // it has been removed meanwhile
				return
			}
		}
		if at < 0 {
			c.errno = eNoMem
			return
		}
		for i := range n {
			k.put(at+i, page{perms: vm.Read | vm.Write | vm.Shared, file: uint16(op.FD), offset: uint16(i), by: c.id})
		}
		c.value = addr(at)
	case vm.OpShmDetach:
		k.detach(c)
	case vm.OpAioSetup:
		n := int(op.Len / vm.PageSize)
		at := k.gap(rng, n)
		if at < 0 {
			c.errno = eNoMem
			return
		}
		file := k.object() | ofRing
		for i := range n {
			k.put(at+i, page{perms: vm.Read | vm.Write | vm.Shared, file: file, offset: uint16(i), by: c.id})
		}
		k.rings = append(slices.Clone(k.rings), ring{at, n, file})
		c.value = addr(at)
	case vm.OpAioDestroy:
		at := int(op.Addr/vm.PageSize) - base
		i := slices.IndexFunc(k.rings, func(r ring) bool { return r.at == at })
		if i < 0 || !k.has(at) || k.pages[at].file != k.rings[i].file { // the kernel reads the ring's number in it
			c.errno = eInval
			return
		}
		k.remove(span(at, min(at+k.rings[i].n, pageCount))) // whatever is mapped there by now
		k.rings = slices.Delete(slices.Clone(k.rings), i, i+1)
	case vm.OpRemapFile:
		k.remapFile(c, from, to)
	case vm.OpClone:
		child := *k
		child.rows, child.rings = nil, nil
		for range 3 { // MADV_DONTFORK
			child.remove(1 << rng.IntN(heapEnd))
		}
		c.child = &child
	}
}

func (k *kernel) object() uint16 {
	k.files++
	return k.files
}

func (k *kernel) setBrk(c *request, readImpliesExec bool) {
	to := c.op.Addr
	old, end := vm.PageUp(k.brk), vm.PageUp(to)
	c.value = k.brk
	if to == 0 || c.fail {
		return
	}
	if end > old {
		s := pagesOf(vm.Range{Start: old, End: end})
		if k.mapped&s != 0 {
			return
		}
		p := page{perms: vm.Read | vm.Write, by: c.id}
		if readImpliesExec {
			p.perms |= vm.Exec
		}
		for rest := s; rest != 0; rest &= rest - 1 {
			k.put(bits.TrailingZeros64(uint64(rest)), p)
		}
	} else {
		k.remove(pagesOf(vm.Range{Start: end, End: old}))
	}
	k.brk, c.value = to, to
}

// remap is mremap(2). What it moves is one row.
func (k *kernel) remap(rng *dice, c *request) {
	op := &c.op
	from := int(op.Addr/vm.PageSize) - base
	oldN, newN := int(op.Len/vm.PageSize), int(op.NewLen/vm.PageSize)
	if !k.has(from) {
		c.errno = eFault
		return
	}
	_, rowEnd := k.row(from)
	fixed, keep := op.Flags&vm.RemapFixed != 0, op.Flags&vm.RemapDontUnmap != 0
	target := pagesOf(op.Target)
	switch {
	case from+oldN > rowEnd, oldN == 0 && k.pages[from].perms&vm.Shared == 0, k.pages[from].growsDown:
		c.errno = eFault
		return
	case k.pages[from].file&ofRing != 0 && newN > oldN: // VM_DONTEXPAND
		c.errno = eFault
		return
	case fixed && target&span(from, from+max(oldN, 1)) != 0, keep && k.pages[from].file != 0:
		c.errno = eInval
		return
	}
	if fixed {
		k.remove(target)
		if c.half {
			c.errno = eNoMem
			return
		}
	} else if oldN != 0 && !keep {
		switch {
		case newN <= oldN:
			k.remove(span(from+newN, from+oldN))
			c.value = op.Addr
			return
		case from+oldN == rowEnd && from+newN <= arenaEnd && k.mapped&span(rowEnd, from+newN) == 0:
			last := k.pages[rowEnd-1]
			for i := rowEnd; i < from+newN; i++ {
				last.by, last.split = c.id, false
				if last.file != 0 {
					last.offset++
				}
				k.put(i, last)
			}
			c.value = op.Addr
			return
		case op.Flags&vm.RemapMayMove == 0:
			c.errno = eNoMem
			return
		}
	}
	to := int(op.Target.Start/vm.PageSize) - base
	if !fixed {
		if to = k.gap(rng, newN); to < 0 {
			c.errno = eNoMem
			return
		}
	}
	first := k.pages[from]
	first.by, first.grown = c.id, false
	if oldN != 0 && !keep {
		k.remove(span(from, from+oldN))
	}
	for i := range newN {
		p := first
		p.split = p.split && i == 0
		if p.file != 0 {
			p.offset += uint16(i)
		}
		k.put(to+i, p)
	}
	c.value = addr(to)
	if i := slices.IndexFunc(k.rings, func(r ring) bool { return r.file == first.file }); i >= 0 { // fs/aio.c, aio_ring_mremap
		k.rings = slices.Clone(k.rings)
		k.rings[i].at = to
	}
}

// detach is shmdt(2): all pieces of the object that stand where an attachment at the address has them.
func (k *kernel) detach(c *request) {
	at := int(c.op.Addr/vm.PageSize) - base
	file := uint16(0)
	for i := at; i < pageCount; i++ {
		p := &k.pages[i]
		if !k.has(i) || p.file&segment == 0 || p.perms&vm.Shared == 0 || int(p.offset) != i-at {
			continue
		}
		if file == 0 {
			file = p.file
		}
		if p.file == file {
			k.remove(1 << i)
		}
	}
	if file == 0 {
		c.errno = eInval
	}
}

// remapFile is remap_file_pages(2) on a part of one row that is shared.
func (k *kernel) remapFile(c *request, from, to int) {
	if !k.has(from) || k.pages[from].perms&vm.Shared == 0 {
		c.errno = eInval
		return
	}
	if _, end := k.row(from); end < to {
		c.errno = eInval
		return
	}
	c.touched |= span(from, to)
	first := uint16(c.op.Offset / vm.PageSize)
	for i := from; i < to; i++ {
		p := k.edit(i)
		p.offset, p.by = first+uint16(i-from), 0
	}
}
