package tracer

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A SIGTRAP of ours that reaches a thread without a tracer kills its process. So before a thread is detached its
// event is disabled, and any signal already under way is received and suppressed.

// disable disables all events. Signals already sent still arrive.
func (t *Tracer) disable() {
	t.armed.closing = true
	for _, ev := range t.armed.events {
		_ = ev.control(unix.PERF_EVENT_IOC_DISABLE)
	}
	for _, th := range t.threads {
		if th.advice != nil {
			_ = th.advice.control(unix.PERF_EVENT_IOC_DISABLE)
		}
	}
}

// trapWaits reports whether one of our signals is pending for the thread, which is stopped.
func (th *Thread) trapWaits() bool {
	const (
		peekSiginfo = 0x4209
		batch       = 8
	)
	var infos [batch][16]uint64
	for args := (struct {
		off   uint64
		flags uint32
		nr    int32
	}{nr: batch}); ; args.off += batch {
		n, _, e := syscall.RawSyscall6(syscall.SYS_PTRACE, peekSiginfo, uintptr(th.TID), uintptr(unsafe.Pointer(&args)), uintptr(unsafe.Pointer(&infos)), 0, 0)
		if e != 0 {
			return false
		}
		for _, info := range infos[:n] {
			if int32(info[0]) == int32(unix.SIGTRAP) && int32(info[1]) == trapPerf && isOurData(info[3]) {
				return true
			}
		}
		if n < batch {
			return false
		}
	}
}

// shed lets a thread that is about to be detached run on to another stop, and reports whether that is needed: a signal of ours is under
// way, or its process still ignores SIGTRAP and the thread cannot be made to change that where it is, within a call or about to be given a signal.
func (t *Tracer) shed(th *Thread) bool {
	if t.backend != BySigtrap || th.exiting {
		return false
	}
	switch {
	case th.inside && (th.owed() || t.shielded(th)), th.toDeliver != 0 && t.shielded(th):
		// Ours is only sent when the thread leaves the kernel, where the interrupt stops it in any case. Of a signal of the program's own it has
		// begun the handler by then.
		th.interrupt()
	case th.trapWaits():
		if mask, e := ptraceSigmask(th.TID); e == 0 && mask&trapBit != 0 {
			th.mask, th.unmasked = mask, ptraceSetSigmask(th.TID, mask&^trapBit) == 0
		}
	default:
		return false
	}
	sig := th.toDeliver
	th.toDeliver, th.state = 0, running
	ptrace(unix.PTRACE_CONT, th.TID, 0, uintptr(sig))
	return true
}

// shielded reports whether the thread's process ignores SIGTRAP because of us.
func (t *Tracer) shielded(th *Thread) bool {
	s := t.armed.shields[th.TGID]
	return s != nil && s.on
}

// shedded undoes what shed did, and suppresses a signal of ours.
func (t *Tracer) shedded(th *Thread, why why) {
	if th.unmasked {
		th.unmasked = false
		ptraceSetSigmask(th.TID, th.mask)
	}
	switch {
	case why != signalStop || th.toDeliver != int(unix.SIGTRAP):
	case th.isOurTrap():
		th.toDeliver = 0
	case t.backend == BySigtrap:
		t.giveTrap(th)
	}
}

// isOurTrap reports whether the signal-delivery-stop that the thread is in is for a signal of ours.
func (th *Thread) isOurTrap() bool {
	info, e := ptraceSiginfo(th.TID)
	return e == 0 && int32(info[1]) == trapPerf && isOurData(info[3])
}
