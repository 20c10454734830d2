package tracer

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests and options of include/uapi/linux/ptrace.h that x/sys lacks, or has with another type.
const (
	ptraceEventStop    = 128
	ptraceEventSeccomp = 7
	ptraceEventExec    = 4
	ptraceEventExit    = 6
	syscallStopBit     = 0x80 // PTRACE_O_TRACESYSGOOD

	syscallInfoEntry   = 1
	syscallInfoExit    = 2
	syscallInfoSeccomp = 3
)

// The requests below do not block, so they go to the kernel without telling Go's scheduler. ESRCH means that the
// thread was killed meanwhile: its exit status follows, and callers ignore the error.

func ptrace(request, tid int, addr, data uintptr) syscall.Errno {
	_, _, e := syscall.RawSyscall6(syscall.SYS_PTRACE, uintptr(request), uintptr(tid), addr, data, 0, 0)
	return e
}

func ptraceSeize(tid int, options uintptr) syscall.Errno {
	return ptrace(unix.PTRACE_SEIZE, tid, 0, options)
}

func ptraceGetRegs(tid int, regs *unix.PtraceRegs) syscall.Errno {
	return ptrace(unix.PTRACE_GETREGS, tid, 0, uintptr(unsafe.Pointer(regs)))
}

// ptracePeekUser reads one word of struct user. The raw system call stores the word where data points.
func ptracePeekUser(tid int, offset uintptr) (uint64, syscall.Errno) {
	var word uint64
	e := ptrace(unix.PTRACE_PEEKUSR, tid, offset, uintptr(unsafe.Pointer(&word)))
	return word, e
}

func ptracePokeUser(tid int, offset uintptr, word uint64) syscall.Errno {
	return ptrace(unix.PTRACE_POKEUSR, tid, offset, uintptr(word))
}

func ptracePokeData(tid int, addr uintptr, word uint64) syscall.Errno {
	return ptrace(unix.PTRACE_POKEDATA, tid, addr, uintptr(word))
}

func ptraceEventMessage(tid int) (uint64, syscall.Errno) {
	var msg uint64
	e := ptrace(unix.PTRACE_GETEVENTMSG, tid, 0, uintptr(unsafe.Pointer(&msg)))
	return msg, e
}

// ptraceStopCode is si_code of the stop that a thread is in now: for an event stop the event, shifted, and
// SIGTRAP (ptrace(2), PTRACE_GETSIGINFO).
func ptraceStopCode(tid int) (int32, syscall.Errno) {
	var info [32]int32 // siginfo_t, 128 bytes: si_signo, si_errno, si_code …
	e := ptrace(unix.PTRACE_GETSIGINFO, tid, 0, uintptr(unsafe.Pointer(&info)))
	return info[2], e
}

// syscallInfo is the head of struct ptrace_syscall_info: what comes before the union.
type syscallInfo struct {
	op   uint8
	_    [3]uint8
	arch uint32
	ip   uint64
	sp   uint64
	data [64]byte
}

// ptraceSyscallInfo asks PTRACE_GET_SYSCALL_INFO (Linux 5.3).
func ptraceSyscallInfo(tid int, info *syscallInfo) syscall.Errno {
	return ptrace(unix.PTRACE_GET_SYSCALL_INFO, tid, unsafe.Sizeof(*info), uintptr(unsafe.Pointer(info)))
}

const (
	offsetRAX     = unsafe.Offsetof(unix.PtraceRegs{}.Rax)
	offsetOrigRAX = unsafe.Offsetof(unix.PtraceRegs{}.Orig_rax)
	offsetRDI     = unsafe.Offsetof(unix.PtraceRegs{}.Rdi)
)

// wait4 waits for any tracee. With block it tells Go's scheduler and returns EINTR when a signal without
// SA_RESTART arrives; without, it returns tid 0 where nothing is pending.
func wait4(block bool) (tid int, status unix.WaitStatus, err syscall.Errno) {
	var ws int32
	const anyChild = ^uintptr(0)
	if block {
		r, _, e := syscall.Syscall6(syscall.SYS_WAIT4, anyChild, uintptr(unsafe.Pointer(&ws)), unix.WALL, 0, 0, 0)
		return int(int64(r)), unix.WaitStatus(ws), e
	}
	r, _, e := syscall.RawSyscall6(syscall.SYS_WAIT4, anyChild, uintptr(unsafe.Pointer(&ws)), unix.WALL|unix.WNOHANG, 0, 0, 0)
	return int(int64(r)), unix.WaitStatus(ws), e
}

// waitFor reads the next wait status of one tracee, if there is one.
func waitFor(tid int) (status unix.WaitStatus, ok bool) {
	var ws int32
	r, _, e := syscall.RawSyscall6(syscall.SYS_WAIT4, uintptr(tid), uintptr(unsafe.Pointer(&ws)), unix.WALL|unix.WNOHANG, 0, 0, 0)
	return unix.WaitStatus(ws), e == 0 && int(r) == tid
}

// wait4Untold is wait4(true), but does not inform Go's scheduler.
func wait4Untold() (tid int, status unix.WaitStatus, err syscall.Errno) {
	var ws int32
	r, _, e := syscall.RawSyscall6(syscall.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(&ws)), unix.WALL, 0, 0, 0)
	return int(int64(r)), unix.WaitStatus(ws), e
}

// sigaction is the kernel's struct for rt_sigaction(2) on x86-64.
type sigaction struct {
	handler, flags, restorer, mask uint64
}

const (
	saNoCldStop = 0x1
	saRestart   = 0x10000000
)

// changeSigaction sets and clears flags of the handler that Go's runtime has installed for sig.
func changeSigaction(sig syscall.Signal, set, clear uint64) {
	var sa sigaction
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), 0, uintptr(unsafe.Pointer(&sa)), 8, 0, 0)
	sa.flags = sa.flags&^clear | set
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&sa)), 0, 8, 0, 0)
}

// trapBit is SIGTRAP in a signal mask.
const trapBit = 1 << (unix.SIGTRAP - 1)

func ptraceSetSigmask(tid int, mask uint64) syscall.Errno {
	const setSigmask = 0x420b
	var set [8]byte
	binary.NativeEndian.PutUint64(set[:], mask)
	return ptrace(setSigmask, tid, 8, uintptr(unsafe.Pointer(&set)))
}

// ptraceSigmask asks PTRACE_GETSIGMASK (ptrace(2)).
func ptraceSigmask(tid int) (mask uint64, e syscall.Errno) {
	const getSigmask = 0x420a
	var set [8]byte
	e = ptrace(getSigmask, tid, 8, uintptr(unsafe.Pointer(&set)))
	return binary.NativeEndian.Uint64(set[:]), e
}
