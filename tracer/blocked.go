package tracer

import "syscall"

// A thread that blocks SIGTRAP, or has lost it, does not stop behind the calls that BySigtrap waits for.

// suspicious is the age, in nanoseconds, at which an open record makes us check whether its thread blocks SIGTRAP.
const suspicious = 2_000_000

// thrownAway is the age, in nanoseconds, at which the thread of an open record is interrupted: the program may have
// discarded the signal by setting its action (sigaction(2)), and the calls of all other threads wait in the order
// behind it. If the call is merely still being served, the interrupt costs it one more stop and does no harm.
const thrownAway = 200_000_000

// seekBlocked interrupts threads that took the lock and will not stop because they block SIGTRAP, or have lost it.
func (t *Tracer) seekBlocked() {
	var now uint64
	for _, ev := range t.armed.events {
		th := ev.owner
		if th.state != running || th.stepping || th.interrupted {
			continue
		}
		open := ev.open
		if len(open) == 0 && th.advice != nil {
			th.advice.drain()
			open = th.advice.open
		}
		if len(open) == 0 {
			continue
		}
		oldest := open[0]
		if now == 0 {
			now = Clock()
		}
		if now > oldest+suspicious && (now > oldest+thrownAway || th.blocksTrap()) {
			th.interrupt()
		}
	}
}

// overdue handles an event stop of a thread that has taken mmap_lock without having stopped for that yet. Its SIGTRAP
// comes next, unless the signal is blocked, or was discarded when the program set SIGTRAP's action (sigaction(2)). It
// reports whether it filled t.stop.
func (t *Tracer) overdue(th *Thread) bool {
	if th.blocksTrap() || !th.trapWaits() {
		return t.missed(th)
	}
	th.state = running
	ptrace(syscall.PTRACE_CONT, th.TID, 0, 0)
	return false
}

// stoppedBehindCall handles a group-stop of a thread that has taken mmap_lock: it joined the group-stop on its way out
// of the call, before its SIGTRAP. The signal-delivery-stop comes only after SIGCONT, which may not come before we
// detach. It reports whether it filled t.stop.
func (t *Tracer) stoppedBehindCall(th *Thread) bool {
	if th.blocksTrap() || !th.trapWaits() {
		return t.missed(th)
	}
	return t.completed(th)
}

// missed hands out a Missed stop, and reports whether it filled t.stop. The thread took mmap_lock without stopping,
// because it blocks SIGTRAP or the signal was discarded. Only the kernel's view can show what it did. While the thread
// blocks SIGTRAP it is followed by PTRACE_SYSCALL.
func (t *Tracer) missed(th *Thread) bool {
	th.stepping = th.blocksTrap()
	t.armed.unadvised += uint64(th.takeAdvice())
	first, last, n := th.takeOpen()
	if n == 0 {
		t.Resume(th)
		return false
	}
	return t.out(Stop{Kind: Missed, Thread: th, First: first, Order: last, Count: uint64(n)})
}
