package launcher

import (
	"syscall"
	"unsafe"
)

// Numbers of the kernel's headers that package syscall does not name.
const (
	sysSeccomp           = 317
	seccompSetModeFilter = 1
	prSetNoNewPrivs      = 38
	sigSetMask           = 2
	addrNoRandomize      = 0x0040000
	personalityQuery     = 0xffffffff
)

// become turns this process into the program. It returns only on failure, with the step that failed.
func become(c *Config, status int) (Step, syscall.Errno) {
	if c.Dir != "" {
		if err := syscall.Chdir(c.Dir); err != nil {
			return Chdir, errno(err)
		}
	}
	// This message is always sent: the end of the pipe cannot replace it, since the kernel closes the pipe only when
	// the new program returns to user mode, after its first stop.
	tell(status, Going, c.NoASLR && !noASLR(), 0)
	if len(c.Filter) > 0 {
		if e := installFilter(c.Filter); e != 0 {
			return Seccomp, e
		}
	}
	if c.SetUser {
		if e := setUser(c); e != 0 {
			return User, e
		}
	}
	if c.SetSignals {
		setSignals(c)
	}
	for fd := range 3 {
		if c.Closed>>fd&1 != 0 {
			syscall.Close(fd)
		}
	}
	return Exec, errno(syscall.Exec(c.Path, c.Argv, c.Env))
}

func errno(err error) syscall.Errno {
	e, _ := err.(syscall.Errno)
	return e
}

// noASLR switches address space randomisation off (personality(2)) and reports whether that worked.
func noASLR() bool {
	old, _, _ := syscall.RawSyscall(syscall.SYS_PERSONALITY, personalityQuery, 0, 0)
	_, _, e := syscall.RawSyscall(syscall.SYS_PERSONALITY, old|addrNoRandomize, 0, 0)
	now, _, _ := syscall.RawSyscall(syscall.SYS_PERSONALITY, personalityQuery, 0, 0)
	return e == 0 && now&addrNoRandomize != 0
}

// installFilter puts the filter on the calling thread. With CAP_SYS_ADMIN it does so without no_new_privs, which
// would disable set-uid bits for the program and all its children (seccomp(2)).
func installFilter(insns []byte) syscall.Errno {
	const insnSize = 8 // struct sock_filter
	prog := struct {   // struct sock_fprog
		len    uint16
		filter *byte
	}{uint16(len(insns) / insnSize), &insns[0]}
	install := func() syscall.Errno {
		_, _, e := syscall.RawSyscall(sysSeccomp, seccompSetModeFilter, 0, uintptr(unsafe.Pointer(&prog)))
		return e
	}
	e := install()
	if e != syscall.EACCES {
		return e
	}
	if _, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0); e != 0 {
		return e
	}
	return install()
}

// setUser sets groups, gid and uid of this thread only: the others end with execve.
func setUser(c *Config) syscall.Errno {
	groups := append(c.Groups, 0)
	_, _, e := syscall.RawSyscall(syscall.SYS_SETGROUPS, uintptr(len(c.Groups)), uintptr(unsafe.Pointer(&groups[0])), 0)
	if e != 0 && syscall.Geteuid() != int(c.UID) {
		return e
	}
	gid, uid := uintptr(c.GID), uintptr(c.UID)
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESGID, gid, gid, gid); e != 0 {
		return e
	}
	_, _, e = syscall.RawSyscall(syscall.SYS_SETRESUID, uid, uid, uid)
	return e
}

// setSignals gives the calling thread, which is about to call execve, the signals of whoever started vmblame.
func setSignals(c *Config) {
	for sig := uintptr(1); sig <= 64; sig++ {
		if c.Ignored>>(sig-1)&1 != 0 {
			action := [4]uint64{1} // the kernel's struct sigaction: handler SIG_IGN, flags, restorer, mask
			syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
		}
	}
	mask := c.Blocked
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, sigSetMask, uintptr(unsafe.Pointer(&mask)), 0, 8, 0, 0)
}
