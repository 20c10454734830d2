package tracer

import (
	"encoding/binary"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hear takes note of a SIGTERM or SIGHUP that is about to reach the launched program and that this process
// has not sent.
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

// Signalled returns when somebody else has last sent SIGTERM or SIGHUP to the launched program, the zero
// time for never. It may be called from any goroutine.
func (t *Tracer) Signalled(sig syscall.Signal) time.Time {
	if ns := t.heard[sig&31].Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}
