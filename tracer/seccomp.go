package tracer

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// installFilter puts the filter on the calling thread. With CAP_SYS_ADMIN it does so without
// no_new_privs, which would take the effect of set-uid bits from the program and all its children
// (seccomp(2)).
func installFilter() syscall.Errno {
	insns := buildFilter()
	prog := unix.SockFprog{Len: uint16(len(insns)), Filter: &insns[0]}
	install := func() syscall.Errno {
		_, _, e := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
		runtime.KeepAlive(insns)
		return e
	}
	e := install()
	if e != syscall.EACCES {
		return e
	}
	if _, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); e != 0 {
		return e
	}
	return install()
}

func rawSetgroups(groups []uint32) syscall.Errno {
	var p unsafe.Pointer
	if len(groups) > 0 {
		p = unsafe.Pointer(&groups[0])
	}
	_, _, e := syscall.RawSyscall(syscall.SYS_SETGROUPS, uintptr(len(groups)), uintptr(p), 0)
	return e
}
