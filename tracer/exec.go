package tracer

import "github.com/vmblame/vmblame/internal/vm"

// An execve kills the other threads of its group, and the kill may come between a stop of one and our
// resuming it. PTRACE_CONT would then let it pass its exit stop unseen, so that nobody looks at the image
// that the group leaves.

// execBegins takes note of an execve in a group of several threads.
func (t *Tracer) execBegins(th *Thread) {
	if th.call.Op.Kind == vm.OpExec && t.groups[th.TGID] > 1 {
		t.execs[th.TGID]++
	}
}

// execFails takes note of an execve that has returned.
func (t *Tracer) execFails(th *Thread) {
	if th.call.Op.Kind == vm.OpExec {
		delete(t.execs, th.TGID)
	}
}

// passedBy tells whether a thread that is to be resumed has left its stop for its exit stop, which is still
// to be handed out.
func (t *Tracer) passedBy(th *Thread) bool {
	if t.execs[th.TGID] == 0 || th.exiting || !th.Killed() {
		return false
	}
	th.state = running
	return true
}

// execed handles PTRACE_EVENT_EXEC: it is reported under the leader's tid, whichever thread called.
func (t *Tracer) execed(th *Thread) bool {
	msg, e := ptraceEventMessage(th.TID)
	if e != 0 {
		return false
	}
	former := int(msg)
	delete(t.execs, th.TGID)
	if caller := t.threads[former]; former != th.TID && caller != nil {
		t.remove(th)
		t.remove(caller)
		caller.TID = caller.TGID
		caller.state = stopped
		t.add(caller)
		th = caller
	}
	s := Stop{Kind: Execed, Thread: th, Former: former}
	if th.followed {
		s.Call = &th.call
	}
	th.followed = false
	th.inCall = !t.filter // by PTRACE_SYSCALL the exit stop of execve is still to come
	if t.prelude {
		t.prelude = false
		th.inCall = false
	}
	if t.attaching && !th.born {
		return false // Attach introduces it
	}
	// Where the stop that would have introduced it is lost in the exec, this one does.
	th.born = true
	ptraceGetRegs(th.TID, &th.regs)
	return t.out(s)
}
