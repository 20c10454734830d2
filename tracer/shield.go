package tracer

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// When a tracer is killed the kernel detaches its tracees, each with the signal of its signal-delivery-stop. Ours is
// a SIGTRAP, which kills. So each followed thread group is made to ignore SIGTRAP: one of its threads is made to call
// rt_sigaction(2); see inject. A tracee still stops for a signal that it ignores. At an orderly end another such call
// restores the previous action.

// shield is a thread group's SIGTRAP action before we made it ignored.
type shield struct {
	on   bool // SIGTRAP is ignored because of us
	over bool // it was, until the former action was restored at the end: so it is in children that were created before
	worn bool // an execve has taken the mark off our action
	old  sigaction
	way  wayBack
}

const sigIgnore = 1 // SIG_IGN of asm-generic/signal-defs.h

// ignoredByUs is the SIGTRAP action that we set. The mask has no effect for an ignored signal; it marks the action as
// ours, since the program may ignore SIGTRAP itself. It lacks SIGKILL and SIGSTOP, which the kernel removes from every
// mask.
var ignoredByUs = sigaction{handler: sigIgnore, mask: 0x5a96_76d6_6268_2c00}

// ours reports whether an action of a thread group is the one that we set. After an execve a signal stays ignored, but
// the rest of the action is cleared (kernel/signal.c, flush_signal_handlers).
func (s *shield) ours(was sigaction) bool {
	return was == ignoredByUs || s.worn && was == sigaction{handler: sigIgnore}
}

// exchange makes a stopped thread restore its group's former action, or set ours again if that has lost its mark. An
// action that the program has set meanwhile stays.
func (t *Tracer) exchange(th *Thread, s *shield, action *sigaction) error {
	was, err := t.inject(th, action, s.way)
	if err != nil || s.ours(was) {
		return err
	}
	s.on = false
	th.inside = false // where it is, the next call can be made as the first one was
	_, err = t.inject(th, &was, s.way)
	th.inside = th.inside || err == nil
	return err
}

// protect makes the group of a stopped thread ignore SIGTRAP, once.
func (t *Tracer) protect(th *Thread) {
	if t.backend != BySigtrap || t.armed.closing || th.Ignore {
		return
	}
	if s := t.armed.shields[th.TGID]; s != nil {
		t.mark(th, s)
		return
	}
	st, err := readStatus(th.TID)
	if err != nil {
		return
	}
	s := &shield{}
	switch {
	case st.ignored&trapBit != 0: // nothing to do
	case st.pending&trapBit != 0:
		return // it would be discarded: try at the next stop
	default:
		s.way = findWayBack(th.TID)
		old, err := t.inject(th, &ignoredByUs, s.way)
		if why, never := errors.AsType[refused](err); never {
			t.armed.unprotected = append(t.armed.unprotected, Unprotected{th.TGID, why.Error()})
			break
		}
		t.stopAgain(th)
		if err != nil {
			return // try at the next stop
		}
		s.on, s.old = true, old
		t.seekThrownAway(th.TGID)
	}
	t.armed.shields[th.TGID] = s
}

// mark sets the action of a group again, with its mark, once after an execve.
func (t *Tracer) mark(th *Thread, s *shield) {
	if !s.on || !s.worn {
		return
	}
	if st, err := readStatus(th.TID); err != nil || st.ignored&trapBit == 0 || st.pending&trapBit != 0 {
		return
	}
	err := t.exchange(th, s, &ignoredByUs)
	t.stopAgain(th)
	if err == nil {
		s.worn = false
	}
}

// seekThrownAway interrupts the threads of a group that have taken mmap_lock and have not got their SIGTRAP yet: the
// kernel discards a pending signal when its action is set to ignore.
func (t *Tracer) seekThrownAway(tgid int) {
	if t.groups[tgid] <= 1 || t.attaching {
		return
	}
	t.Settle()
	for _, ev := range t.armed.events {
		if th := ev.owner; th.TGID == tgid && len(ev.open) > 0 && th.state == running && !th.interrupted {
			th.interrupt()
		}
	}
}

// Unprotected is a process that may die if the tracer is killed, and why.
type Unprotected struct {
	PID int
	Why string
}

// Unprotected returns the processes that could not be protected since its last call.
func (t *Tracer) Unprotected() []Unprotected {
	list := t.armed.unprotected
	t.armed.unprotected = nil
	return list
}

// inheritShield gives a new thread group its creator's shield, since signal actions are inherited.
func (t *Tracer) inheritShield(child, maker int) {
	if s := t.armed.shields[maker]; s != nil && child != maker {
		t.armed.shields[child] = &shield{on: s.on || s.over, worn: s.worn, old: s.old, way: s.way}
	}
}

// execShield updates the shield after an exec, which keeps ignored signals ignored and resets handlers.
func (t *Tracer) execShield(tgid int) {
	const sigDefault = 0
	s := t.armed.shields[tgid]
	if s == nil || !s.on {
		return
	}
	if s.old.handler != sigIgnore {
		s.old = sigaction{handler: sigDefault}
	}
	s.way, s.worn = findWayBack(tgid), true
}

// unshield restores the former SIGTRAP action of the group of a stopped thread that is about to be detached, unless the program has set
// another meanwhile.
func (t *Tracer) unshield(th *Thread) {
	s := t.armed.shields[th.TGID]
	if s == nil || !s.on {
		return
	}
	st, err := readStatus(th.TID)
	if err != nil {
		return
	}
	if st.ignored&trapBit != 0 {
		th.grouped = false // the kernel stops it again when it is detached (kernel/ptrace.c, __ptrace_unlink)
		err := t.exchange(th, s, &s.old)
		t.stopAgain(th)
		if err != nil {
			return
		}
	}
	s.on, s.over = false, true
}

// giveTrap restores the SIGTRAP action for a thread in the signal-delivery-stop of a SIGTRAP of the program's own,
// which the next resumption delivers. If a fault raised it, the kernel has already replaced an ignoring action by the
// default. A handler is the program's, set since.
func (t *Tracer) giveTrap(th *Thread) {
	s := t.armed.shields[th.TGID]
	if s == nil || !s.on {
		return
	}
	info, e := ptraceSiginfo(th.TID)
	if e != 0 {
		return
	}
	if st, err := readStatus(th.TID); err != nil || st.caught&trapBit != 0 {
		s.on = s.on && err != nil
		return
	}
	sig := th.toDeliver
	th.toDeliver = 0
	err := t.exchange(th, s, &s.old)
	s.on = s.on && err != nil
	if th.state != stopped || !th.inside {
		th.toDeliver = sig
		return
	}
	// A signal injected into a thread within a call is queued again.
	th.state = running
	ptrace(unix.PTRACE_CONT, th.TID, 0, uintptr(sig))
	status, ok := t.await(th)
	if !ok {
		return
	}
	if classify(status) != signalStop || status.StopSignal() != unix.SIGTRAP {
		t.queue = append(t.queue, wait{th.TID, status})
		return
	}
	ptrace(unix.PTRACE_SETSIGINFO, th.TID, 0, uintptr(unsafe.Pointer(&info)))
	th.state, th.inside, th.toDeliver = stopped, false, sig
}
