package tracer

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// The first stop of a new task and the event stop of its parent are reported in any order. The child is held at its
// first stop until the parent's is seen, so that Cloned always comes before Started.

// bear records the first stop of a task that no event stop has announced yet.
func (t *Tracer) bear(w wait) {
	tid := w.tid
	if classify(w.status) == exitStop {
		// It was killed before its parent, which may be dead as well, reported it.
		delete(t.newborn, tid)
		ptrace(unix.PTRACE_CONT, tid, 0, 0)
		return
	}
	t.newborn[tid] = &Thread{TID: tid, TGID: makerOf(tid), state: stopped}
}

// cloned handles PTRACE_EVENT_FORK, _VFORK and _CLONE of the parent, and reports whether it filled t.stop.
func (t *Tracer) cloned(th *Thread) bool {
	msg, e := ptraceEventMessage(th.TID)
	if e != 0 || th.Killed() {
		th.state = running // the event message may be that of its exit stop
		return false
	}
	tid := int(msg)
	child := t.newborn[tid]
	arrived := child != nil
	if !arrived {
		child = &Thread{TID: tid}
	}
	delete(t.newborn, tid)
	child.TGID = groupOf(tid, th.TGID)
	child.Ignore = th.Ignore
	t.inheritShield(child.TGID, th.TGID)
	s := Stop{Kind: Cloned, Thread: th, Child: tid}
	if th.event != nil {
		s.Order = t.copied(th, tid)
		// C libraries block all signals while creating a task, and may unmap its stack before they unblock them.
		th.stepping = th.blocksTrap()
	}
	if th.followed {
		s.Call = &th.call
		child.cleared = th.cleared
	}
	th.followed = false
	th.uncover()
	if t.backend != BySyscall {
		th.inCall = false
	}
	known := t.threads[tid]
	if t.attaching {
		th.inCall = t.backend != BySigtrap // a syscall-exit-stop follows, without a syscall-enter-stop before it
		// A known child was found by Attach's scan first: it may have stopped already.
		if known == nil && (arrived || !over(tid)) {
			t.add(child)
		}
		return false
	}
	if known != nil {
		t.remove(known) // the tid belonged to a thread whose end was not reported
	}
	t.add(child)
	switch {
	case arrived:
		t.begin(child)
		t.ready = append(t.ready, Stop{Kind: Started, Thread: child})
	case over(tid):
		t.remove(child)
		t.ready = append(t.ready, Stop{Kind: Gone, Thread: child})
	}
	return t.out(s)
}

// over reports whether a tracee has ended and been reaped: one that has not been waited for still accepts signals.
func over(tid int) bool { return unix.Kill(tid, 0) == unix.ESRCH }

// started handles the first stop of an announced task, and reports whether it filled t.stop.
func (t *Tracer) started(th *Thread) bool {
	if t.attaching {
		return false
	}
	t.begin(th)
	return t.out(Stop{Kind: Started, Thread: th})
}

// begin marks a task whose first stop is handed out, and reads its registers for Regs.
func (t *Tracer) begin(th *Thread) {
	th.born = true
	th.uncover()
	ptraceGetRegs(th.TID, &th.regs)
	t.arm(th)
}

// uncover puts a cleared CLONE_UNTRACED back.
func (th *Thread) uncover() {
	if th.cleared.set {
		th.cleared.restore(th)
		th.cleared = clearedFlag{}
	}
}

// adoptOrphans hands out tasks whose parents, all of group tgid, died before they reported them; tgid 0 stands for
// any parent.
func (t *Tracer) adoptOrphans(tgid int, ignore bool) {
	for tid, child := range t.newborn {
		if tgid != 0 && child.TGID != tgid {
			continue
		}
		delete(t.newborn, tid)
		child.TGID = groupOf(tid, child.TGID)
		child.Ignore = ignore
		t.begin(child)
		t.add(child)
		t.ready = append(t.ready, Stop{Kind: Started, Thread: child})
	}
}

// groupOf returns the thread group of a new task: its creator's if it is one of that group's threads, else its own.
func groupOf(tid, maker int) int {
	if unix.Access(fmt.Sprintf("/proc/%d/task/%d", maker, tid), unix.F_OK) == nil {
		return maker
	}
	return tid
}

// makerOf returns the group that most likely created an unannounced task.
func makerOf(tid int) int {
	st, err := readStatus(tid)
	if err != nil {
		return 0
	}
	if st.tgid != tid {
		return st.tgid
	}
	return st.ppid
}
