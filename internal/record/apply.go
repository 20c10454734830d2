package record

import (
	"syscall"
	"unsafe"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// effect enters what a call that has returned did into its space's ledger and appends the changes to dst.
// errno is 0 on success. number is the event's, the origin of what the call mapped.
func (r *Recorder) effect(f *pending, result int64, errno syscall.Errno, number uint64, dst []ledger.Change) []ledger.Change {
	sp, op := f.task.space, &f.call.Op
	o := ledger.Origin{Event: number}
	if errno != 0 {
		return r.failed(sp, f, errno, o, dst)
	}
	addr := uint64(result)
	switch op.Kind {
	case vm.OpMap:
		return r.mapped(sp, f, addr, o, dst)
	case vm.OpUnmap:
		return sp.ledger.Remove(op.Range, dst)
	case vm.OpProtect:
		return r.protected(sp, f, o, dst)
	case vm.OpBrk:
		return r.broke(sp, f, addr, o, dst)
	case vm.OpRemap:
		return r.remapped(sp, op, addr, o, dst)
	case vm.OpShmAttach:
		if f.call.Syscall.Nr < 0 { // ipc(2) of i386
			if f.call.Args[0] == 22 {
				return r.reread(sp, r.attached(sp, f.call.Args[4]), o, dst)
			}
			addr = r.word(f, f.call.Args[3], 4)
		}
		return r.appeared(sp, vm.Range{Start: addr, End: vm.AddressMax}, o, dst)
	case vm.OpShmDetach:
		return r.reread(sp, r.attached(sp, op.Addr), o, dst)
	case vm.OpAioDestroy:
		return r.reread(sp, r.ring(sp, op.Addr), o, dst)
	case vm.OpAioSetup:
		return r.appeared(sp, vm.Range{Start: r.word(f, f.call.Args[1], 8), End: vm.AddressMax}, o, dst)
	case vm.OpShadowStack:
		// The kernel may make one row of it and another shadow stack above.
		return r.appeared(sp, vm.RangeOf(addr, f.call.Args[1]), o, dst)
	case vm.OpRemapFile:
		return r.reread(sp, []vm.Range{op.Range}, o, dst)
	case vm.OpMapVdso:
		return r.reread(sp, []vm.Range{{Start: 0, End: vm.AddressMax}}, o, dst)
	case vm.OpName:
		return r.renamed(sp, op.Range, dst)
	}
	return dst
}

// word reads a word of the tracee's memory, 0 where it cannot.
func (r *Recorder) word(f *pending, addr uint64, size int) uint64 {
	var w uint64
	f.task.thread.ReadMemory(addr, unsafe.Slice((*byte)(unsafe.Pointer(&w)), size))
	return w
}

// failed settles a call that returned an error: some have changed a part of what they were asked to.
func (r *Recorder) failed(sp *space, f *pending, errno syscall.Errno, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	op := &f.call.Op
	switch op.Kind {
	case vm.OpUnmap, vm.OpProtect, vm.OpMap, vm.OpRemap, vm.OpRemapFile, vm.OpName:
	default:
		return dst
	}
	if op.Kind == vm.OpMap && !op.Fixed || op.NoReplace && errno == syscall.EEXIST {
		return dst
	}
	ranges := []vm.Range{op.Range}
	if !op.Target.Empty() {
		ranges = append(ranges, op.Target)
	}
	return r.reread(sp, ranges, o, dst)
}

// plain reports whether an mmap's result follows from its arguments alone.
func plain(op *vm.Op) bool {
	const odd = vm.MapHugeTLB | vm.MapGrowsDown | vm.MapTypeMask&^vm.MapPrivate
	return op.Flags&vm.MapAnonymous != 0 && op.Flags&odd == 0
}

// mapped enters a successful mmap.
func (r *Recorder) mapped(sp *space, f *pending, addr uint64, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	op := &f.call.Op
	e := ledger.Entry{Origin: o}
	e.Range = vm.RangeOf(addr, op.Len)
	e.Perms = r.perms(f.task, op.Prot)
	if op.Flags&vm.MapTypeMask != vm.MapPrivate {
		e.Perms |= vm.Shared
	}
	if plain(op) {
		return sp.ledger.Add(e, dst)
	}
	row, seen := sp.view.At(addr)
	size := r.mapPageSize(op)
	if seen {
		size = max(size, sp.view.PageSize(&row)) // a file of huge pages rounds the length without the flag
	}
	e.End = e.Start + (op.Len+size-1)&^(size-1)
	if op.Flags&vm.MapGrowsDown != 0 {
		sp.growing = append(sp.growing, growing{origin: o.Event, top: e.End - 1})
	}
	if seen {
		// The kernel may show one row for this and its neighbours; only what it says of this page counts.
		m := row.Slice(e.Range)
		e.Perms, e.Offset, e.File = m.Perms, m.Offset, m.File
	} else {
		f.Uncertain, sp.uncertain = true, true
	}
	if e.Perms&vm.Exec != 0 && e.File.Inode != 0 {
		r.pin(sp, &e)
	}
	return sp.ledger.Add(e, dst)
}

// mapPageSize returns the size of the pages that an mmap asks for with its flags.
func (r *Recorder) mapPageSize(op *vm.Op) uint64 {
	if op.Flags&vm.MapHugeTLB == 0 {
		return vm.PageSize
	}
	if log := op.Flags >> vm.MapHugeShift & vm.MapHugeMask; log != 0 {
		return max(vm.PageSize, uint64(1)<<log)
	}
	return r.hugePage
}

// perms are the permissions that the kernel gives for a prot argument.
func (r *Recorder) perms(t *task, prot uint64) vm.Perms {
	p := vm.ProtPerms(prot)
	if t.readImpliesExec && p&vm.Read != 0 {
		p |= vm.Exec
	}
	return p
}

// protected enters a successful mprotect. All its pages were mapped then: what the ledger lacks has grown.
func (r *Recorder) protected(sp *space, f *pending, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	op := &f.call.Op
	at := op.Range
	if !sp.ledger.Covered(at) {
		r.fillGrown(sp, at)
	}
	if op.Prot&(vm.ProtGrowsDown|vm.ProtGrowsUp) != 0 {
		if row, ok := sp.view.At(op.Range.Start); ok {
			at.Start, at.End = min(at.Start, row.Start), max(at.End, row.End)
		}
		return r.reread(sp, []vm.Range{at}, o, dst)
	}
	if f.task.readImpliesExec {
		return r.reread(sp, []vm.Range{at}, o, dst)
	}
	return sp.ledger.Protect(at, vm.ProtPerms(op.Prot), dst)
}

// broke enters what brk(2) did: result is the program break after the call.
func (r *Recorder) broke(sp *space, f *pending, now uint64, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	before := sp.brk
	sp.brk = now
	if before == 0 {
		return r.reread(sp, r.heapRanges(sp, now), o, dst)
	}
	old, end := vm.PageUp(before), vm.PageUp(now)
	switch {
	case end > old:
		e := ledger.Entry{Origin: o}
		e.Range = vm.Range{Start: old, End: end}
		e.Perms = r.perms(f.task, vm.ProtRead|vm.ProtWrite)
		e.File.Path = "[heap]"
		return sp.ledger.Add(e, dst)
	case end < old:
		return sp.ledger.Remove(vm.Range{Start: end, End: old}, dst)
	}
	return dst
}

// heapRanges is what a brk of an unknown former value may have changed: the heap and what lies between.
func (r *Recorder) heapRanges(sp *space, now uint64) []vm.Range {
	var ranges []vm.Range
	for e := range sp.ledger.All {
		if e.File.Path == "[heap]" {
			ranges = append(ranges, e.Range)
		}
	}
	if row, ok := sp.view.At(now - 1); ok && !row.File.Backed() {
		ranges = append(ranges, row.Range)
	}
	return ranges
}

// remapped enters a successful mremap, which may grow, shrink, move, duplicate or empty a mapping.
func (r *Recorder) remapped(sp *space, op *vm.Op, to uint64, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	from := op.Range
	size := vm.PageUp(op.NewLen)
	if row, ok := sp.view.At(to); ok {
		page := sp.view.PageSize(&row) - 1
		from.End = from.Start + (from.Len()+page)&^page
		size = (size + page) &^ page
	}
	if !sp.ledger.Covered(from) {
		r.fillGrown(sp, from)
	}
	touched := []vm.Range{from, {Start: to, End: to + size}}
	switch {
	case op.Len == 0:
		if e, ok := sp.ledger.At(op.Addr); ok {
			source := vm.Range{Start: op.Addr, End: min(e.End, op.Addr+size)}
			dst = sp.ledger.Move(source, to, size, o, true, dst)
		}
	case to != from.Start:
		dst = sp.ledger.Move(from, to, size, o, op.Flags&vm.RemapDontUnmap != 0, dst)
	case size < from.Len():
		dst = sp.ledger.Remove(vm.Range{Start: from.Start + size, End: from.End}, dst)
	case size > from.Len():
		dst = sp.ledger.Extend(vm.Range{Start: from.End, End: to + size}, o, dst)
	}
	// Kernels differ in what they move at once: the kernel has the last word.
	return r.reread(sp, touched, o, dst)
}

// appeared enters a mapping that starts where at does and ends there at the latest: what else it is only the
// kernel knows.
func (r *Recorder) appeared(sp *space, at vm.Range, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	row, ok := sp.view.At(at.Start)
	if !ok {
		return dst
	}
	for row.End < at.End {
		// Another thread's madvise may have made several rows of it already.
		next, ok := sp.view.At(row.End)
		if !ok || next.Start != row.End || !row.SameKind(next) {
			break
		}
		row.End = next.End
	}
	return sp.ledger.Add(ledger.Entry{Mapping: row.Slice(at), Origin: o}, dst)
}

// ring is what io_destroy may have unmapped: the kernel remembers where the ring began and how long it was,
// and unmaps all of that, whatever stands there by now (fs/aio.c, kill_ioctx). So it is all that the ledger has
// from its start to what the kernel still has.
func (r *Recorder) ring(sp *space, addr uint64) []vm.Range {
	at := vm.Range{Start: addr, End: addr}
	sp.ledger.Overlapping(vm.Range{Start: addr, End: vm.AddressMax}, func(e ledger.Entry) bool {
		at.End = e.End
		rows, err := sp.view.In(e.Range)
		if err == nil && len(rows) > 0 {
			at.End = max(addr, rows[0].Start)
		}
		return err == nil && len(rows) == 0
	})
	return []vm.Range{at}
}

// attached lists what shmdt(addr) may remove: all pieces, wherever they are, that stand where an attachment
// at addr would have them (ipc/shm.c, ksys_shmdt).
func (r *Recorder) attached(sp *space, addr uint64) []vm.Range {
	var ranges []vm.Range
	sp.ledger.Overlapping(vm.Range{Start: addr, End: vm.AddressMax}, func(e ledger.Entry) bool {
		if e.Perms&vm.Shared != 0 && e.File.Backed() && e.Offset == e.Start-addr {
			ranges = append(ranges, e.Range)
		}
		return true
	})
	return ranges
}

// reread makes the ledger equal to the kernel's view in some ranges, on account of the call o.
func (r *Recorder) reread(sp *space, ranges []vm.Range, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	for _, at := range ranges {
		if at.Empty() {
			continue
		}
		rows, err := sp.view.In(at)
		if err != nil {
			sp.uncertain = true
			continue
		}
		dst = sp.ledger.Reconcile(at, rows, o, dst)
	}
	return dst
}

// renamed takes over the names that prctl(PR_SET_VMA) gave.
func (r *Recorder) renamed(sp *space, at vm.Range, dst []ledger.Change) []ledger.Change {
	rows, err := sp.view.In(at)
	if err != nil {
		return dst
	}
	for _, row := range rows {
		x := row.Intersect(at)
		dst = sp.ledger.SetFile(x, row.File, dst)
	}
	return dst
}
