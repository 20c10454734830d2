package record

import (
	"strings"
	"time"

	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
)

// Two threads of one address space return from their calls in an order that is not the one in which the
// kernel served them. Where the two calls touch the same pages that order matters, so a call that
// conflicts with one in flight is held at its entry until that one has returned. A munmap is taken from
// the ledger at its entry and what the kernel placed is added at the return: then calls that do not
// conflict may be recorded in any order.

// holdBound is how long a call may keep others of its space waiting. A call that takes longer waits for
// something outside, which may be one of those that wait for it (userfaultfd, FUSE).
//
// Shorter bounds mistake others for such: on a busy machine a call waits 20 ms and more for a lock whose holder
// has no processor, and io_destroy(2) for an RCU grace period.
const holdBound = 50 * time.Millisecond

// classify says how the call is ordered, given what the ledger knows at its entry.
func (r *Recorder) classify(sp *space, f *flight) {
	op := &f.call.Op
	f.class, f.at, f.isBrk = exclusive, op.Range, false
	switch op.Kind {
	case vm.OpMap:
		f.class = chooser
		if op.Fixed {
			f.class = fixed
			size := r.mapPageSize(op)
			op.Range.End = max(op.Range.End, op.Addr+(op.Len+size-1)&^(size-1))
			f.at = op.Range
		}
	case vm.OpUnmap, vm.OpRemapFile, vm.OpName:
		f.class = fixed
	case vm.OpProtect:
		if op.Prot&(vm.ProtGrowsDown|vm.ProtGrowsUp) == 0 {
			f.class = fixed
		}
	case vm.OpBrk:
		f.classifyBrk(sp)
	case vm.OpClone:
		if op.CloneFlags&vm.CloneVM != 0 {
			f.class = unordered
		}
	case vm.OpAdvise, vm.OpExec, vm.OpPersonality, vm.OpSetMM:
		f.class = unordered
	}
	if f.call.ABI != tracer.ABI64 && f.class != unordered {
		f.class = exclusive // its arguments are narrow and its limits its own: the kernel's view decides
	}
}

func (f *flight) classifyBrk(sp *space) {
	to := f.call.Op.Addr
	switch {
	case to == 0:
		f.class = unordered
	case sp.brk == 0:
	case vm.PageUp(to) >= vm.PageUp(sp.brk):
		f.class, f.isBrk = chooser, true
		f.at = vm.Range{Start: vm.PageUp(sp.brk), End: vm.PageUp(to)}
	default:
		f.class, f.isBrk = fixed, true
		f.at = vm.Range{Start: vm.PageUp(to), End: vm.PageUp(sp.brk)}
	}
}

// conflicts tells whether f may not be in the kernel together with g.
func (f *flight) conflicts(g *flight) bool {
	switch {
	case f.class == unordered || g.class == unordered:
		return false
	case f.class == exclusive || g.class == exclusive:
		return true
	case f.isBrk && g.isBrk:
		return true
	case f.class == fixed && g.class == fixed:
		return f.at.Overlaps(g.at)
	case f.class == fixed && g.class == chooser:
		return !f.live
	case f.class == chooser && g.class == fixed:
		return !g.live
	}
	return false
}

// admit lets a call go, or keeps it waiting, and tells which.
func (r *Recorder) admit(sp *space, f *flight) bool {
	if f.class == unordered {
		return true
	}
	f.active = true
	if !r.orderMatters(sp) {
		sp.inFlight = append(sp.inFlight, f)
		return true
	}
	f.admitted = r.clock()
	f.live = f.class == fixed && sp.ledger.Covered(f.at)
	if r.blocked(sp, f, len(sp.waiting)) {
		sp.waiting = append(sp.waiting, f)
		r.wakeIn(holdBound)
		return false
	}
	r.doubt(sp, f)
	sp.inFlight = append(sp.inFlight, f)
	return true
}

// doubt marks a call that goes although it conflicts with one that is stuck.
func (r *Recorder) doubt(sp *space, f *flight) {
	for _, g := range sp.inFlight {
		if g.stuck && f.conflicts(g) {
			g.uncertain, f.uncertain, sp.uncertain = true, true, true
		}
	}
}

// orderMatters tells whether calls of the space can race at all.
func (r *Recorder) orderMatters(sp *space) bool { return sp.users > 1 }

// blocked tells whether f must wait for a call in flight or for one of the first n that wait.
func (r *Recorder) blocked(sp *space, f *flight, n int) bool {
	for _, g := range sp.inFlight {
		if !g.stuck && r.excludes(g, f) {
			return true
		}
	}
	for _, g := range sp.waiting[:n] {
		if r.excludes(g, f) {
			return true
		}
	}
	return false
}

func (r *Recorder) excludes(g, f *flight) bool {
	if r.opts.Verify == VerifyEach {
		return true // one at a time, so that the kernel's view can be asked after each
	}
	return f.conflicts(g)
}

// released takes a call that has returned, or whose thread has ended, out of flight, holds the ledger
// against the kernel's view where that is due, and lets go what waited.
func (r *Recorder) released(sp *space, f *flight) {
	if !f.active {
		return
	}
	f.active = false
	sp.inFlight = drop(sp.inFlight, f)
	sp.waiting = drop(sp.waiting, f)
	r.settleQuiet(sp)
	r.admitWaiting(sp)
}

func drop(list []*flight, f *flight) []*flight {
	for i, g := range list {
		if g == f {
			copy(list[i:], list[i+1:])
			list[len(list)-1] = nil
			return list[:len(list)-1]
		}
	}
	return list
}

// admitWaiting lets go those that wait and no longer must.
func (r *Recorder) admitWaiting(sp *space) {
	for i := 0; i < len(sp.waiting); {
		f := sp.waiting[i]
		f.live = f.class == fixed && sp.ledger.Covered(f.at)
		if f.isBrk {
			f.classifyBrk(sp)
			f.live = f.class == fixed && sp.ledger.Covered(f.at)
		}
		if r.blocked(sp, f, i) || f.task.thread.Killed() {
			i++ // one that was killed while it waited comes to its exit stop by itself
			continue
		}
		r.letGo(sp, i)
	}
}

// letGo sends the i-th waiting call into the kernel.
func (r *Recorder) letGo(sp *space, i int) {
	f := sp.waiting[i]
	copy(sp.waiting[i:], sp.waiting[i+1:])
	sp.waiting[len(sp.waiting)-1] = nil
	sp.waiting = sp.waiting[:len(sp.waiting)-1]
	f.admitted = r.clock()
	r.doubt(sp, f)
	sp.inFlight = append(sp.inFlight, f)
	r.depart(f)
}

// patience is how long a call that runs, or whose thread waits for a processor, may keep others waiting.
const patience = time.Second

// blockedInKernel tells a call that waits for something outside from one that has merely not been given the
// time: state R, and D where it waits for the lock of the mappings, or all threads of the space, for one that has
// the lock may wait for a processor.
func (r *Recorder) blockedInKernel(f *flight, now time.Time) bool {
	waited := now.Sub(f.admitted)
	tid := f.task.thread.TID
	state := tracer.State(tid)
	if state == 't' {
		return false // it has returned, and it is we who have not been given the time to hear of it
	}
	if waited >= patience {
		return true
	}
	if state != 'S' && state != 'D' || waitsForKernel(tracer.WaitsIn(tid)) {
		return false
	}
	return waited >= 4*holdBound || !r.runnable(f.task.space)
}

// waitsForKernel tells of the function that a call sleeps in that it waits there for the lock of the mappings, or
// for the kernel itself, and so for nothing that we hold: mmap_lock is taken by the functions that the calls
// begin with (mm/mmap.c, mm/util.c, mm/mprotect.c, mm/mremap.c, mm/madvise.c, ipc/shm.c, fs/aio.c, arch/x86/kernel/shstk.c,
// kernel/fork.c; with their names before and after they were inlined), and io_destroy waits for an RCU grace period.
func waitsForKernel(function string) bool {
	for _, prefix := range [...]string{"__x64_sys_", "__ia32_sys_", "__do_sys_", "__se_sys_", "ksys_", "do_", "__"} {
		if rest, ok := strings.CutPrefix(function, prefix); ok {
			function = rest
			break
		}
	}
	switch function {
	case "vm_mmap_pgoff", "mmap", "vm_munmap", "munmap", "mprotect_pkey", "mprotect", "pkey_mprotect", "mremap", "brk", "remap_file_pages",
		"madvise", "madvise_lock", "process_madvise", "shmat", "shmdt", "aio_setup_ring", "ioctx_alloc", "io_setup", "io_destroy",
		"alloc_shstk", "map_shadow_stack", "prctl_set_vma", "prctl", "dup_mmap", "dup_mm", "copy_mm":
		return true
	}
	return false
}

// runnable tells whether a thread of the space runs or waits for a processor: it may have the lock that
// others wait for.
func (r *Recorder) runnable(sp *space) bool {
	for tid, t := range r.tasks {
		if t.space == sp && tracer.State(tid) == 'R' {
			return true
		}
	}
	return false
}

// overdue lets go what waits for calls that have blocked in the kernel for longer than the bound: those
// count as stuck and hold nobody any more. They and what overtakes them carry "uncertain", and the space is
// settled from the kernel's view once it is quiet.
func (r *Recorder) overdue(sp *space) {
	now := r.clock()
	for _, g := range sp.inFlight {
		if !g.stuck && now.Sub(g.admitted) >= holdBound && r.blockedInKernel(g, now) {
			g.stuck = true
		}
	}
	r.admitWaiting(sp)
	if len(sp.waiting) > 0 {
		r.wakeIn(holdBound)
	}
}
