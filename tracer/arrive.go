package tracer

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// arrive notes that the thread has stopped, and repairs what the stop would do to the program. Any stop
// uses up a pending PTRACE_INTERRUPT, so the first one stands for its event stop.
func (th *Thread) arrive(status unix.WaitStatus) why {
	why := classify(status)
	grouped, interrupted := th.grouped, th.interrupted
	th.state, th.grouped, th.interrupted, th.entering = stopped, why == groupStop, false, false
	th.inside = why != groupStop && why != trapStop && why != signalStop
	if th.options != 0 && th.born {
		th.setOptions()
	}
	switch why {
	case syscallStop:
		if interrupted {
			th.cureEINTR()
		}
	case trapStop:
		// The kernel sends it for our PTRACE_INTERRUPT, or to report a SIGCONT. After a group-stop the EINTR must
		// reach the program: signal(7), "Interruption of system calls and library functions by stop signals".
		if !grouped {
			th.cureEINTR()
		}
	case signalStop:
		sig := status.StopSignal()
		th.toDeliver = int(sig)
		if th.event != nil && sig == unix.SIGTRAP {
			break // most likely ours, which interrupts no call
		}
		switch regs := th.leftCall(); {
		case brokenOff(&regs) && ignores(th.TID, sig):
			th.goOn()
		// A wait that begins anew at each such signal may never end: that is for those alone that would end otherwise.
		case errors.Is(th.mayGoOn(regs), filterForbids) && ignores(th.TID, sig):
			th.restart()
		default:
			th.wait = waiting{}
		}
	}
	return why
}

func (th *Thread) setOptions() {
	ptrace(unix.PTRACE_SETOPTIONS, th.TID, 0, th.options)
	th.options = 0
}

// cureEINTR repairs a call that was interrupted only by a ptrace-stop: read(2) and the like restart by themselves,
// but epoll_wait(2), sigtimedwait(2), semtimedop(2) and others return EINTR (signal(7)), and some would be the end of a
// program whose filter does not let them go on.
func (th *Thread) cureEINTR() {
	switch regs := th.leftCall(); {
	case th.mayGoOn(regs) != nil:
		th.restart()
	case !brokenOff(&regs):
	case th.wait.active():
		th.goOn()
	default:
		th.restart()
	}
}

// leftCall returns the registers of a thread that has just left a call, whose result is in Rax; all are 0 where it has left none.
func (th *Thread) leftCall() (regs unix.PtraceRegs) {
	if ptraceGetRegs(th.TID, &regs) != 0 || int64(regs.Orig_rax) < 0 {
		return unix.PtraceRegs{}
	}
	return regs
}

// brokenOff reports whether the call that leftCall has told of is about to return EINTR.
func brokenOff(regs *unix.PtraceRegs) bool { return int64(regs.Rax) == -int64(syscall.EINTR) }

// mayGoOn returns nil unless the kernel would go on with the call that leftCall has told of by restart_syscall(2), as it
// does with nanosleep(2), poll(2) and futex(2), and a seccomp filter of the program forbids that or cannot be read, which is then
// the refused that is returned. The call itself the filter has let pass.
func (th *Thread) mayGoOn(regs unix.PtraceRegs) error {
	const errRestartBlock = -516 // ERESTART_RESTARTBLOCK of include/linux/errno.h
	if int64(regs.Rax) != errRestartBlock || !bySyscallInstruction(&regs) {
		return nil
	}
	regs.Rax, regs.Rip = unix.SYS_RESTART_SYSCALL, regs.Rip-syscallLength
	return th.mayCall(&regs)
}

// restart makes the kernel perform the call again, with its full timeout; it still returns EINTR if a handler runs
// first.
func (th *Thread) restart() {
	const errRestartNoHand = -514
	value := int64(errRestartNoHand)
	ptracePokeUser(th.TID, offsetRAX, uint64(value))
}

// ignores reports whether a signal does nothing to the thread's process. The kernel does not even queue such a
// signal, except for a tracee (kernel/signal.c, sig_ignored): then it wakes the thread.
func ignores(tid int, sig syscall.Signal) bool {
	st, err := readStatus(tid)
	if err != nil || sig < 1 {
		return false
	}
	bit := uint64(1) << (sig - 1)
	switch sig {
	case unix.SIGCHLD, unix.SIGCONT, unix.SIGURG, unix.SIGWINCH:
		return st.caught&bit == 0
	}
	return st.ignored&bit != 0
}
