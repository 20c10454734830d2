package tracer

import (
	"encoding/binary"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hear records a SIGTERM or SIGHUP that is about to reach the launched program and was not sent by this process.
func (t *Tracer) hear(th *Thread) {
	sig := syscall.Signal(th.toDeliver)
	if th.TGID != t.launched || sig != syscall.SIGTERM && sig != syscall.SIGHUP {
		return
	}
	var info [128]byte // siginfo_t: si_signo, si_errno, si_code; kill's si_pid follows at 16
	if ptrace(unix.PTRACE_GETSIGINFO, th.TID, 0, uintptr(unsafe.Pointer(&info))) != 0 {
		return
	}
	const fromKill = 0 // SI_USER
	code, sender := binary.NativeEndian.Uint32(info[8:]), binary.NativeEndian.Uint32(info[16:])
	if code == fromKill && int(sender) == os.Getpid() {
		return
	}
	t.heard[sig].Store(time.Now().UnixNano())
}

// Signalled returns when another process last sent SIGTERM or SIGHUP to the launched program, the zero time for
// never. It may be called from any goroutine.
func (t *Tracer) Signalled(sig syscall.Signal) time.Time {
	if ns := t.heard[sig&31].Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// fault is where a thread faulted.
type fault struct {
	signal   int
	pc, addr uint64
}

// faultsForever reports whether a thread about to get a fault's signal has had the same fault before and will again:
// the init process of a pid namespace is not killed by signals, and while it is traced the kernel does not make its
// usual exception for faults (kernel/signal.c, force_sig_info_to_task).
func (th *Thread) faultsForever() bool {
	switch unix.Signal(th.toDeliver) {
	case unix.SIGSEGV, unix.SIGBUS, unix.SIGILL, unix.SIGFPE:
	default:
		th.fault = fault{}
		return false
	}
	var regs unix.PtraceRegs
	var info [128]byte // siginfo_t: si_addr stands at 16
	if ptraceGetRegs(th.TID, &regs) != 0 || ptrace(unix.PTRACE_GETSIGINFO, th.TID, 0, uintptr(unsafe.Pointer(&info))) != 0 {
		return false
	}
	f := fault{th.toDeliver, regs.Rip, binary.NativeEndian.Uint64(info[16:])}
	again := f == th.fault
	th.fault = f
	if !again {
		return false
	}
	st, err := readStatus(th.TID)
	return err == nil && st.nsTID == 1 && st.caught>>(th.toDeliver-1)&1 == 0
}

// leaveToDie detaches a thread without delivering its signal: it faults once more and dies of that. It reports whether
// it filled t.stop.
func (t *Tracer) leaveToDie(th *Thread) bool {
	t.unshield(th)
	th.uncover()
	t.drain(th)
	left, _, _ := th.takeOpen()
	ptrace(unix.PTRACE_DETACH, th.TID, 0, 0)
	t.remove(th)
	th.state = running
	return t.out(Stop{Kind: Gone, Thread: th, Status: unix.WaitStatus(th.toDeliver), Order: left, Left: true})
}
