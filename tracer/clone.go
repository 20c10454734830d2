package tracer

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// A new task and the event stop of its parent are reported in any order. The child is held at its first
// stop until the parent has told of it, so that Cloned always comes before Started.

// bear takes note of the first stop of a task that no event has announced yet.
func (t *Tracer) bear(w wait) {
	tid := w.tid
	if classify(w.status) == exitStop {
		// It is killed before its maker, who may be dead as well, could tell of it.
		delete(t.newborn, tid)
		ptrace(unix.PTRACE_CONT, tid, 0, 0)
		return
	}
	t.newborn[tid] = &Thread{TID: tid, TGID: makerOf(tid), state: stopped}
}

// cloned handles PTRACE_EVENT_FORK, _VFORK and _CLONE of the parent.
func (t *Tracer) cloned(th *Thread) bool {
	msg, e := ptraceEventMessage(th.TID)
	if e != 0 || th.Killed() {
		th.state = running // the message may be its exit stop's
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
		// The C libraries block all signals around the making of a task, and may unmap its stack before they do not.
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
		th.inCall = t.backend != BySigtrap // its exit stop comes, with no entry stop before it
		// Where it is known, Attach's scan came before this: it may have stopped already.
		if known == nil && (arrived || !over(tid)) {
			t.add(child)
		}
		return false
	}
	if known != nil {
		t.remove(known) // the number was used by a thread whose end we were not told
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

// over reports whether a tracee has ended, and whether this has been seen already: one that has not been waited for still
// takes signals.
func over(tid int) bool { return unix.Kill(tid, 0) == unix.ESRCH }

// started handles the first stop of an announced task.
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

// adoptOrphans hands out tasks whose makers, all of group tgid, died before they could tell of them; tgid
// 0 stands for any maker.
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

// groupOf returns the thread group of a new task: its maker's where it stands among its threads, else one
// of its own.
func groupOf(tid, maker int) int {
	if unix.Access(fmt.Sprintf("/proc/%d/task/%d", maker, tid), unix.F_OK) == nil {
		return maker
	}
	return tid
}

// makerOf returns the group that a task which nobody announced most likely comes from.
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
