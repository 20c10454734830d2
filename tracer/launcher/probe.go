package launcher

import (
	"syscall"
	"unsafe"
)

// ProbeName is argv[0] of the probe: this executable, started to find out whether its mapping calls can be followed.
// argv[1] and argv[2] are the descriptors on which it is told to continue and reports its progress; if both are 0 it
// is the image after its own execve, and exits.
const ProbeName = "vmblame-probe"

// ProbePairs is how many pairs of mmap and munmap the probe makes at each of its steps.
const ProbePairs = 8

// probe reports that it is ready, waits for a byte, makes pairs of calls, makes more with SIGTRAP blocked, and
// executes itself again. Only its main thread makes mapping calls.
func probe(in, out int) {
	if in == out {
		return
	}
	// Other threads of the runtime would only get in the way of execve.
	tell(out, Ready, 0)
	var word [1]byte
	for {
		n, err := syscall.Read(in, word[:])
		if err == syscall.EINTR {
			continue
		}
		if n != 1 {
			return // vmblame has gone
		}
		break
	}
	pairs()
	const trap = 1 << (uint(syscall.SIGTRAP) - 1)
	mask, before := uint64(trap), uint64(0)
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigBlock, uintptr(unsafe.Pointer(&mask)), uintptr(unsafe.Pointer(&before)), 8, 0, 0)
	pairs()
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetMask, uintptr(unsafe.Pointer(&before)), 0, 8, 0, 0)
	_ = syscall.Exec("/proc/self/exe", []string{ProbeName, "0", "0"}, []string{"GOMAXPROCS=1", "GOGC=off"})
}

const sigBlock = 0

func pairs() {
	for range ProbePairs {
		const length, readWrite, privateAnonymous = 8192, syscall.PROT_READ | syscall.PROT_WRITE, syscall.MAP_PRIVATE | syscall.MAP_ANON
		at, _, e := syscall.RawSyscall6(syscall.SYS_MMAP, 0, length, readWrite, privateAnonymous, ^uintptr(0), 0)
		if e == 0 {
			syscall.RawSyscall(syscall.SYS_MUNMAP, at, length, 0)
		}
	}
}
