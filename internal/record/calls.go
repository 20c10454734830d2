package record

import (
	"fmt"
	"syscall"

	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
)

// entered handles a thread that is about to perform a followed call.
func (r *Recorder) entered(t *task, c *tracer.Call) {
	f := &t.flight
	*f = flight{task: t, call: *c, taken: f.taken[:0]}
	sp := t.space
	if c.ABI != tracer.ABI64 && !sp.compat {
		sp.compat = true
		r.note("info", "compat-calls", fmt.Sprintf("pid %d makes %v system calls: their effects are read from the kernel; of stacks of 32-bit code only the pc is told", t.pid, c.ABI))
	}
	r.classify(sp, f)
	switch c.Op.Kind {
	case vm.OpExec:
		r.beforeExec(t, f)
		r.source.Resume(t.thread)
		return
	case vm.OpClone, vm.OpPersonality, vm.OpSetMM:
		if r.admit(sp, f) {
			r.source.Resume(t.thread)
		}
		return
	}
	if r.admit(sp, f) {
		r.depart(f)
	}
}

// silent tells that a call is no event whatever it returns.
func silent(op *vm.Op) bool {
	switch op.Kind {
	case vm.OpClone, vm.OpPersonality, vm.OpSetMM:
		return true
	case vm.OpBrk:
		return op.Addr == 0
	}
	return false
}

// depart sends a call into the kernel. Its stack is taken while the kernel serves it, or before where the
// call may take the stack away.
func (r *Recorder) depart(f *flight) {
	sp, op := f.task.space, &f.call.Op
	if silent(op) {
		r.source.Resume(f.task.thread)
		return
	}
	r.growthBefore(sp, op)
	if f.class == fixed && r.orderMatters(sp) && (op.Kind == vm.OpUnmap || op.Kind == vm.OpBrk) {
		r.takeEarly(sp, f)
	}
	sp0 := f.task.thread.Regs().Rsp
	early := f.at.Contains(sp0) || op.Range.Contains(sp0) || op.Target.Contains(sp0)
	if early {
		r.walk(f)
	}
	r.source.Resume(f.task.thread)
	if !early {
		r.walk(f)
	}
}

// takeEarly settles the place of a call that only removes: no other call may map there before the kernel
// has removed it, and any may at once thereafter, long before the return is seen.
func (r *Recorder) takeEarly(sp *space, f *flight) {
	f.settled = r.number(sp, f)
	f.record = r.begin(f, f.settled)
	f.record.open = true
	f.taken = sp.ledger.Remove(f.at, f.taken[:0])
	r.touchedCode(sp, f.taken)
	r.box.put(&f.record.Event, f.record)
	if stuck := r.box.overfull(); stuck != nil {
		r.withdraw(stuck.flight)
	}
}

// errnoOf splits a raw result.
func errnoOf(result int64) syscall.Errno {
	if result < 0 && result >= -4095 {
		return syscall.Errno(-result)
	}
	return 0
}

// restarting tells that the kernel will perform the call again without returning to the program.
func restarting(e syscall.Errno) bool { return e >= 512 && e <= 516 }

// returned handles a call that has come back from the kernel.
func (r *Recorder) returned(t *task, result int64) {
	f := &t.flight
	sp, op := t.space, &f.call.Op
	errno := errnoOf(result)
	switch op.Kind {
	case vm.OpPersonality:
		if errno == 0 {
			t.readImpliesExec = f.call.Args[0]&vm.PersonaReadImpliesExec != 0
		}
	case vm.OpSetMM:
		if errno == 0 {
			sp.brk = 0
		}
	case vm.OpBrk:
		if op.Addr == 0 {
			r.askedBreak(sp, uint64(result))
		} else if uint64(result) != op.Addr {
			errno = syscall.ENOMEM // it returns the break that stays
			if sp.brk == 0 {
				sp.brk = uint64(result)
			}
		}
	}
	if silent(op) || restarting(errno) && f.settled == 0 {
		r.done(sp, f)
		return
	}
	changes := r.changes[:0]
	switch {
	case f.settled == 0:
		number := r.number(sp, f)
		b := r.begin(f, number)
		changes = r.effect(f, result, errno, number, changes)
		r.finish(f, b, result, errno, changes)
		r.touchedCode(sp, changes)
		r.box.put(&b.Event, b)
	case errno != 0:
		changes = r.putBack(sp, f, errno, changes)
		r.finishEarly(f, result, errno, changes)
	default:
		if op.Kind == vm.OpBrk {
			sp.brk = uint64(result)
		}
		r.finishEarly(f, result, 0, f.taken)
	}
	r.changes = changes[:0]
	r.watchSize(sp)
	r.done(sp, f)
}

// done ends a flight, also one that was in nobody's way.
func (r *Recorder) done(sp *space, f *flight) {
	if f.active {
		r.released(sp, f)
	} else {
		r.settleQuiet(sp)
	}
}

// finishEarly completes a record that was opened at the call's entry.
func (r *Recorder) finishEarly(f *flight, result int64, errno syscall.Errno, changes []change) {
	b := f.record
	f.record = nil
	if f.withdrawn {
		r.finishWithdrawn(f, result, errno)
		return
	}
	r.finish(f, b, result, errno, changes)
	r.box.closed(b)
}

// askedBreak takes the answer of brk(0) where the break is not known. It has no place in the order: where
// another thread moves the break meanwhile it may be the one before or after.
func (r *Recorder) askedBreak(sp *space, now uint64) {
	if sp.brk != 0 {
		return
	}
	for _, f := range sp.inFlight {
		if f.call.Op.Kind == vm.OpBrk {
			return
		}
	}
	sp.brk = now
}

// putBack returns to the ledger what a failed call did not remove after all, and returns what it did
// change. Nothing else was let into the range meanwhile.
func (r *Recorder) putBack(sp *space, f *flight, errno syscall.Errno, dst []change) []change {
	for _, c := range f.taken {
		sp.ledger.Add(*c.Was, nil)
	}
	r.touchedCode(sp, f.taken)
	return r.failed(sp, f, errno, origin(f.settled), dst)
}

// settleQuiet holds the ledger against the kernel's view where that is due and no call is in flight.
func (r *Recorder) settleQuiet(sp *space) {
	if !sp.quiet() || sp.ended {
		return
	}
	if sp.uncertain {
		sp.uncertain = false
		r.verify(sp, "uncertain order")
	} else if r.opts.Verify == VerifyEach {
		r.verify(sp, "unknown")
	}
}
