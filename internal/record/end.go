package record

import (
	"fmt"
	"syscall"
	"time"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
)

// exiting handles a thread at its exit stop: its address space can still be read.
func (r *Recorder) exiting(t *task, s *tracer.Stop) {
	f := &t.pending
	if s.Order != 0 || s.Count != 0 {
		r.backlog.last(t, s)
	} else if s.Call != nil && f.call.Syscall == s.Call.Syscall {
		if s.NotExecuted {
			r.notExecuted(f)
		} else if f.call.Op.Kind != vm.OpExec {
			r.returned(t, s.Result)
		}
	} else {
		r.cancel(f)
	}
	sp := t.space
	if name := tracer.Identify(t.thread.TID).Name; name != "" {
		t.name = name
	}
	t.exiting = true
	sp.exiting++
	if sp.ended || r.lookIfLast(sp) || r.wake == nil {
		r.source.Resume(t.thread)
		return
	}
	if endsGroup(t.thread.TID) {
		sp.dying = t.pid
	}
	if !r.onlyDying(sp) {
		r.source.Resume(t.thread)
		return
	}
	r.waitForDying(t, time.Now().Add(maxHold))
}

// waitForDying keeps a thread at its exit stop while the other threads of its space end, so that the space can be
// inspected after that. Killed threads pass their own exit stops unseen, and still use the space for a while.
func (r *Recorder) waitForDying(t *task, until time.Time) {
	const again = 2 * time.Millisecond
	time.AfterFunc(again, func() {
		r.wake.ask(func() {
			if sp := t.space; sp == nil || sp.ended || r.lookIfLast(sp) || time.Now().After(until) || !r.onlyDying(sp) {
				r.source.Resume(t.thread)
				return
			}
			r.waitForDying(t, until)
		})
	})
}

// few bounds the number of threads that are looked up in /proc at an exit stop.
const few = 256

// onlyDying reports whether all users of a space that have not reached their exit stop are about to end, or have.
func (r *Recorder) onlyDying(sp *space) bool {
	left := sp.users - sp.exiting
	if left > few {
		return false
	}
	for tid, t := range r.tasks {
		if t.space != sp || t.exiting {
			continue
		}
		f := &t.pending
		execs := f.call.Syscall != nil && f.call.Op.Kind == vm.OpExec // it ends the others, and waits for them
		if execs || t.pid != sp.dying && !dying(tid) {
			return false
		}
		left--
	}
	return left <= 0
}

// lookIfLast verifies the space and takes its last snapshot if no thread will run in it any more, and reports whether it
// has done so.
func (r *Recorder) lookIfLast(sp *space) bool {
	if sp.looked {
		return true
	}
	// In a group exit hundreds of threads may die without an exit stop of their own, so that /proc has to be asked
	// for each. The search ends at the first that is alive, and is not made while more than few are left.
	left := sp.users - sp.exiting
	if left > few {
		return false
	}
	var execing *pending
	for _, t := range r.tasks {
		if left <= 0 || t.space != sp || t.exiting {
			continue
		}
		if f := &t.pending; f.call.Syscall != nil && f.call.Op.Kind == vm.OpExec {
			execing = f
			continue
		}
		if !ended(t.thread.TID) {
			return false
		}
		r.cancel(&t.pending)
		left--
	}
	for tid, announced := range r.expected {
		if announced.forked == nil && announced.parent == sp && ended(tid) {
			left--
		}
	}
	switch {
	case left <= 0:
		sp.looked = true
		r.lastLook(sp, "exit")
	case left == 1 && execing != nil && sp.gate.Quiet():
		// It waits in execve for the other threads to end. The old image still exists.
		if r.opts.Verify != VerifyOff {
			sp.proven = r.verify(sp, "")
		}
		execing.snapshot = r.snapshot(sp, "exec")
	}
	return sp.looked
}

// endsGroup reports whether a thread at its exit stop has called exit_group(2), which ends its whole process. The
// threads that it ends look like those that an execve(2) ends.
func endsGroup(tid int) bool {
	nr, ok := procfs.Syscall(tid)
	return ok && nr == syscall.SYS_EXIT_GROUP
}

// dying reports whether a thread has been killed, is past its exit stop, or has ended.
func dying(tid int) bool { return procfs.Exiting(tid) || procfs.KillPending(tid) }

// ended reports whether a thread is dead, even if no stop has said so: a thread that is killed at a stop may skip its
// exit stop.
func ended(tid int) bool {
	s := tracer.State(tid)
	return s == 'Z' || s == 'X' || s == 0
}

// lastLook verifies a space that is about to end, or whose threads are about to be detached, and writes its last
// snapshot.
func (r *Recorder) lastLook(sp *space, cause string) {
	r.backlog.settleAll(sp)
	if r.opts.Verify != VerifyOff && sp.gate.Quiet() {
		sp.proven = r.verify(sp, sp.lookedFor())
	}
	r.names.LookAtPerfMap(sp.id, sp.TID(), sp.pid)
	if s := r.snapshot(sp, cause); s != nil {
		r.out.queue.Put(s)
	} else if sp.proven || r.opts.Verify == VerifyOff { // else a note says already that it was gone
		r.withoutSnapshot(sp, "it was gone at that moment")
	}
}

// cancel drops a call whose thread ends without telling its result.
func (r *Recorder) cancel(f *pending) {
	if f.task == nil {
		return
	}
	sp := f.space
	if f.event != nil && sp.mm.StillThere(f.taken) {
		r.out.undo(f)
	}
	if f.event != nil {
		// It had entered the kernel, which has most likely done it. The last comparison will show what is mapped
		// there.
		f.Uncertain = true
		sp.mm.MarkUncertain()
		r.out.finishEarly(f, 0, 0, f.taken)
	}
	if f.Active() {
		sp.mm.MarkUncertain() // it may have been served
		if f.call.Op.Kind == vm.OpBrk {
			sp.mm.SetBreak(0)
		}
	}
	r.drop(f)
}

// notExecuted drops a call that the kernel has not performed.
func (r *Recorder) notExecuted(f *pending) {
	r.out.undo(f)
	r.drop(f)
}

// drop releases from the gate a call of which nothing more will be known.
func (r *Recorder) drop(f *pending) {
	if f.Active() {
		r.done(f.space, f)
	}
	f.call.Syscall = nil
}

// leave takes a task out of its space.
func (r *Recorder) leave(t *task) {
	r.cancel(&t.pending)
	sp := t.space
	if sp == nil {
		return
	}
	sp.users--
	if t.exiting {
		sp.exiting--
	}
	r.endSpace(sp)
}

// unverified writes a note that a space's ledger was not compared with the kernel's view at its end.
func (r *Recorder) unverified(pid int, why string) {
	if r.opts.Verify != VerifyOff {
		r.out.note("info", "unverified", fmt.Sprintf("pid %d: %s", pid, why))
	}
}

// endSpace closes a space that nobody uses any more.
func (r *Recorder) endSpace(sp *space) {
	if sp.users > 0 || sp.maps == nil {
		return
	}
	r.backlog.settleAll(sp)
	if !sp.proven {
		r.unverified(sp.pid, "its ledger could not be compared with the kernel's view at the end: its last threads ended without a stop, killed or with their process")
	}
	if last := r.names.EndPerfMap(sp.id); last != nil {
		r.out.queue.Define(mark(last)) // after all stacks that refer to it
	}
	sp.ended = true
	sp.mm.Detach()
	sp.pages.Close()
	r.maps.closed(sp.maps)
	sp.maps = nil
}

// neverStarted releases what was kept for a task that ended before its first stop.
func (r *Recorder) neverStarted(from *inheritance) {
	sp := from.parent
	if from.forked != nil {
		sp = from.forked
	}
	if sp != nil {
		sp.users--
		r.endSpace(sp)
	}
}

// gone handles the end of a thread.
func (r *Recorder) gone(th *tracer.Thread, s *tracer.Stop) {
	if f := r.backlog.forks[th.TID]; f != nil {
		r.backlog.settleAll(f.space) // no longer wait for the fork that made it
	}
	if never := r.expected[th.TID]; never != nil {
		delete(r.expected, th.TID)
		r.neverStarted(never)
	}
	if th.TID == r.mainPID {
		r.setExit(s.Status)
		defer r.mainEnded()
	}
	t, _ := th.Data.(*task)
	if t == nil || r.tasks[th.TID] != t {
		return
	}
	if s.Left {
		r.out.note("info", "init-fault", fmt.Sprintf("pid %d is the first process of a pid namespace: while traced it would fault forever; it was released, and the fault ends it", t.pid))
	}
	delete(r.tasks, th.TID)
	sp := t.space
	if s.Order != 0 && sp != nil && !sp.ended {
		r.backlog.unseen(sp, s.Order) // it was killed in a call whose result is unknown
	}
	r.leave(t)
	if sp != nil && sp.id != 0 {
		var exit *eventlog.Exit
		if th.TID == t.pid && !s.Left && (s.Status.Exited() || s.Status.Signaled()) {
			exit = exitOf(s.Status)
		}
		r.threadGone(t, th.TID, exit)
	}
	// The last user may have been killed at its exit stop; those that are left are past theirs.
	if sp != nil && !sp.ended && sp.users > 0 && sp.exiting < sp.users {
		r.settleQuiet(sp)
	}
}
