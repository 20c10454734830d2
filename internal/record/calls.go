package record

import (
	"syscall"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/mm"
	"github.com/vmblame/vmblame/internal/order"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
)

// entered handles a thread that is about to perform a followed call.
func (r *Recorder) entered(t *task, c *tracer.Call) {
	if c.Op.Kind == vm.OpPages {
		r.advises(t, c)
		return
	}
	f := &t.pending
	sp := t.space
	*f = pending{task: t, space: sp, call: *c, taken: f.taken[:0]}
	f.Owner = f
	r.out.noteCompat(t, c)
	sp.mm.RoundToPages(&f.call.Op)
	f.Classify(&f.call.Op, c.ABI != tracer.ABI64, sp.mm)
	if c.Op.Kind == vm.OpExec {
		r.beforeExec(t, f)
		r.source.Resume(t.thread)
		return
	}
	if !sp.gate.Admit(&f.Call, sp.alone()) {
		r.wake.in(order.HoldBound)
		return
	}
	r.release(f)
}

// errnoAfter returns the error of a call that has returned. brk(2) returns the unchanged break if it failed; only a
// seccomp filter of the program makes it return an error.
func errnoAfter(op *vm.Op, result int64) syscall.Errno {
	if op.Kind == vm.OpBrk && op.Addr != 0 && errnoOf(result) == 0 && uint64(result) != op.Addr {
		return syscall.ENOMEM
	}
	return errnoOf(result)
}

// silent reports whether a call makes no event whatever it returns.
func silent(op *vm.Op) bool {
	switch op.Kind {
	case vm.OpClone, vm.OpPersonality, vm.OpSetMM:
		return true
	case vm.OpBrk:
		return op.Addr == 0
	}
	return false
}

// release lets a call enter the kernel. Its stack is walked while the kernel serves it, or before if the call may
// unmap the stack.
func (r *Recorder) release(f *pending) {
	sp, op := f.space, &f.call.Op
	if f.Uncertain {
		sp.mm.MarkUncertain() // released although it conflicts with one that is stuck
	}
	if silent(op) {
		r.source.Resume(f.task.thread)
		return
	}
	r.out.drift(sp, sp.mm.GrowthBefore(op), sp.events.Last())
	if f.OnlyRemoves() && !sp.alone() {
		r.out.takeEarly(sp, f)
	}
	sp0 := f.task.thread.Regs().Rsp
	early := f.At().Contains(sp0) || op.Range.Contains(sp0) || op.Target.Contains(sp0)
	if early {
		r.stacks.walk(f)
	}
	r.source.Resume(f.task.thread)
	if !early {
		r.stacks.walk(f)
	}
}

// errnoOf splits a raw result.
func errnoOf(result int64) syscall.Errno {
	if result < 0 && result >= -4095 {
		return syscall.Errno(-result)
	}
	return 0
}

// restarting reports whether the kernel will perform the call again without returning to the program.
func restarting(e syscall.Errno) bool { return e >= 512 && e <= 516 }

// returned handles a call that has come back from the kernel.
func (r *Recorder) returned(t *task, result int64) {
	f := &t.pending
	sp, op := t.space, &f.call.Op
	errno := errnoAfter(op, result)
	switch op.Kind {
	case vm.OpPages:
		r.advised(f, result)
		return
	case vm.OpPersonality:
		if errno == 0 {
			t.readImpliesExec = f.call.Args[0]&vm.PersonaReadImpliesExec != 0
		}
	case vm.OpExec:
		sp.proven = false // the thread and its space go on
	case vm.OpSetMM:
		if errno == 0 {
			sp.mm.SetBreak(0)
		}
	case vm.OpBrk:
		if op.Addr == 0 && errno == 0 && sp.mm.Break() == 0 && sp.gate.BreakStood(&f.Call) {
			sp.mm.SetBreak(uint64(result))
		}
	}
	if silent(op) || restarting(errno) && f.event == nil {
		r.done(sp, f)
		return
	}
	switch {
	case f.event == nil:
		if sp.gate.HalfFailed(&f.Call, errno) {
			sp.mm.MarkUncertain()
		}
		b := r.out.begin(f)
		changes := r.apply(f, result, errno, b)
		r.out.finish(f, b, result, errno, changes)
		r.out.queue.PutEvent(b)
	case errno != 0:
		sp.mm.PutBack(f.taken)
		sp.touchedCode(f.taken)
		r.out.finishEarly(f, result, errno, r.apply(f, result, errno, f.event))
	default:
		if op.Kind == vm.OpBrk {
			sp.mm.SetBreak(uint64(result))
		}
		r.out.finishEarly(f, result, 0, f.taken)
	}
	r.watchSize(sp)
	r.done(sp, f)
}

// standsApart reports whether the effect of a returned call follows from the call alone and no other call depends on
// it. The thread can then be resumed before the effect is entered in the ledger.
func (r *Recorder) standsApart(t *task, result int64) bool {
	f := &t.pending
	if !t.space.alone() || f.event != nil || errnoOf(result) != 0 || r.opts.looksAtReturn(t.space) {
		return false
	}
	switch f.call.Op.Kind {
	case vm.OpMap, vm.OpUnmap, vm.OpProtect:
		return !t.space.mm.Asks(&f.call.Op, f.mmReturn(0, 0))
	}
	return false
}

// looksAtReturn reports whether /proc is read when a call has returned, so that the process must stay stopped until
// then.
func (o *Options) looksAtReturn(sp *space) bool {
	return sp.mm.Uncertain() || o.Verify == VerifyEach || o.Bound > 0
}

// done releases a call that has ended from the gate of its space. Any call that ends, even one that the gate never
// saw because it conflicts with nothing, may leave the space quiet: the ledger is then verified if that is due. Calls
// that waited for this one go on.
func (r *Recorder) done(sp *space, f *pending) {
	waited := f.Active()
	sp.gate.Release(&f.Call)
	r.settleQuiet(sp)
	if waited {
		r.releaseWaiting(sp)
	}
}

// releaseWaiting releases the waiting calls that no longer have to wait.
func (r *Recorder) releaseWaiting(sp *space) {
	for c := sp.gate.Ready(); c != nil; c = sp.gate.Ready() {
		r.release(c.Owner.(*pending))
	}
}

// overdue looks for stuck calls and releases the calls that wait for them.
func (r *Recorder) overdue(sp *space) {
	sp.gate.Overdue()
	r.releaseWaiting(sp)
	if sp.gate.Waiting() {
		r.wake.in(order.HoldBound)
	}
}

// apply enters the effect of a returned call in the space, writes any drift found on the way, and returns the call's
// own changes, which are valid until the next call of apply. e is its event.
func (r *Recorder) apply(f *pending, result int64, errno syscall.Errno, e *order.PendingEvent) []ledger.Change {
	f.value = uint64(result)
	if errno == 0 {
		f.readResult()
	}
	return r.applyRead(f, errno, e)
}

// applyRead is apply after the result value has been read.
func (r *Recorder) applyRead(f *pending, errno syscall.Errno, e *order.PendingEvent) []ledger.Change {
	sp, c := f.space, &f.call
	var out mm.Outcome
	if ret := f.mmReturn(errno, e.Number()); r.backend.stamps() {
		out = sp.mm.ApplyAmong(&c.Op, ret, sp.stamps.late, r.changes[:0])
	} else {
		out = sp.mm.Apply(&c.Op, ret, r.changes[:0])
	}
	r.changes = out.Changes
	f.Uncertain = f.Uncertain || out.Unseen
	after := sp.events.Last()
	if after == e.Number() && f.event == nil {
		after = e.Previous() // the call's own event comes after the drift; one that was opened early stands before it
	}
	if why := sp.whyDiffers(); why != "" {
		for i := range out.Drifts {
			if d := &out.Drifts[i]; d.Guess == mm.NoGuess {
				d.Guess = why // it came to light before a comparison that is due
			}
		}
	}
	r.out.drift(sp, out.Drifts, after)
	sp.touchedCode(out.Changes)
	if c.Op.Kind == vm.OpMap && errno == 0 {
		r.modules.Pin(sp, out.Changes)
	}
	return out.Changes
}
