package tracer

// execed handles PTRACE_EVENT_EXEC: it is reported under the leader's tid, whichever thread called.
func (t *Tracer) execed(th *Thread) bool {
	msg, e := ptraceEventMessage(th.TID)
	if e != 0 {
		return false
	}
	former := int(msg)
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
	th.inCall = t.backend == BySyscall // the exit stop of execve is still to come
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
	t.execShield(th.TGID)
	t.arm(th) // the exec has taken its event away
	return t.out(s)
}
