package tracer

import (
	"encoding/binary"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A call with a relative timeout that the tracer restarts starts with the full timeout again, so it would never end
// while ignored signals keep coming. So after its first restart such a call is followed by PTRACE_SYSCALL until it
// has really returned, and once its time has passed it is made to return as if it had timed out.

// waiting is a call that an ignored signal interrupted and that was restarted. The zero value is none.
type waiting struct {
	until  time.Time
	result int64 // of the call when its time has passed
}

// active reports whether there is such a call.
func (w *waiting) active() bool { return !w.until.IsZero() }

// goOn restarts a call that an ignored signal has interrupted or, if its timeout has passed since it was first
// restarted, ends it.
func (th *Thread) goOn() {
	if !th.wait.active() {
		if timeout, result, ok := th.timeout(); ok {
			th.wait = waiting{time.Now().Add(timeout), result}
		}
		th.restart()
		return
	}
	if time.Now().Before(th.wait.until) {
		th.restart()
		return
	}
	ptracePokeUser(th.TID, offsetRAX, uint64(th.wait.result))
	th.wait = waiting{}
}

// awaited handles a syscall-stop of a thread with a restarted call, and reports whether nothing more is to be done.
func (t *Tracer) awaited(th *Thread) bool {
	var info syscallInfo
	if ptraceSyscallInfo(th.TID, &info) != 0 {
		th.wait = waiting{}
	} else if info.op == syscallInfoExit {
		if rax, e := ptracePeekUser(th.TID, offsetRAX); e != 0 || int64(rax) != -int64(syscall.EINTR) && !restarts(int64(rax)) {
			th.wait = waiting{}
		}
	}
	if t.backend != BySeccomp || th.inCall {
		return false // it is handled as any other
	}
	th.entering = info.op == syscallInfoEntry
	t.Resume(th)
	return true
}

// timeout returns the relative timeout of the call that the thread has just left, and what the call returns when it
// times out. ok is false if the call has no timeout, or if the kernel itself restarts it with the remaining time.
func (th *Thread) timeout() (d time.Duration, result int64, ok bool) {
	var r unix.PtraceRegs
	if ptraceGetRegs(th.TID, &r) != 0 || !bySyscallInstruction(&r) {
		return 0, 0, false
	}
	again := -int64(syscall.EAGAIN)
	switch r.Orig_rax {
	case unix.SYS_EPOLL_WAIT, unix.SYS_EPOLL_PWAIT:
		ms := int32(r.R10)
		return time.Duration(ms) * time.Millisecond, 0, ms >= 0
	case unix.SYS_EPOLL_PWAIT2:
		d, ok = th.timespec(r.R10)
	case unix.SYS_RT_SIGTIMEDWAIT:
		d, ok = th.timespec(r.Rdx)
		result = again
	case unix.SYS_SEMTIMEDOP:
		d, ok = th.timespec(r.R10)
		result = again
	case unix.SYS_IO_GETEVENTS, unix.SYS_IO_PGETEVENTS:
		d, ok = th.timespec(r.R8)
	case unix.SYS_READ, unix.SYS_READV, unix.SYS_RECVFROM, unix.SYS_RECVMSG, unix.SYS_RECVMMSG, unix.SYS_ACCEPT, unix.SYS_ACCEPT4:
		d, ok = th.socketTimeout(int(int32(r.Rdi)), unix.SO_RCVTIMEO)
		result = again
	case unix.SYS_WRITE, unix.SYS_WRITEV, unix.SYS_SENDTO, unix.SYS_SENDMSG, unix.SYS_SENDMMSG:
		d, ok = th.socketTimeout(int(int32(r.Rdi)), unix.SO_SNDTIMEO)
		result = again
	}
	return d, result, ok
}

// timespec reads a struct timespec of the thread.
func (th *Thread) timespec(addr uint64) (time.Duration, bool) {
	var b [16]byte
	if addr == 0 || th.ReadMemory(addr, b[:]) != len(b) {
		return 0, false
	}
	sec, nsec := int64(binary.NativeEndian.Uint64(b[:])), int64(binary.NativeEndian.Uint64(b[8:]))
	const most = int64(1<<63-1) / int64(time.Second)
	if sec < 0 || sec >= most || nsec < 0 || nsec >= int64(time.Second) {
		return 0, false
	}
	return time.Duration(sec)*time.Second + time.Duration(nsec), true
}

// socketTimeout is the timeout that the program has given one of its sockets; ok is false for none, or where the kernel
// does not let us ask (pidfd_getfd(2), Linux 5.6).
func (th *Thread) socketTimeout(fd, option int) (time.Duration, bool) {
	pidfd, err := unix.PidfdOpen(th.TGID, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(pidfd)
	own, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(own)
	tv, err := unix.GetsockoptTimeval(own, unix.SOL_SOCKET, option)
	if err != nil {
		return 0, false
	}
	d := time.Duration(tv.Nano())
	return d, d > 0
}
