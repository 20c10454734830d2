package main

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dieOf makes vmblame die of sig, as the program did, so that a shell sees what it would have seen without
// vmblame. It returns where sig does not kill.
//
// The Go runtime owns the handlers, and os/signal gives none back: the default action is set behind its
// back (rt_sigaction(2)). No core is written: the program's own is the one that is wanted.
func dieOf(sig int) {
	unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	// A core_pattern that is a pipe takes no notice of RLIMIT_CORE.
	unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	// struct kernel_sigaction of x86-64: handler (0 is SIG_DFL), flags, restorer, mask.
	var action [4]uint64
	unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	var set unix.Sigset_t
	if sig < 1 || sig > 64 {
		return
	}
	set.Val[0] = 1 << (sig - 1)
	unix.PthreadSigmask(unix.SIG_UNBLOCK, &set, nil)
	unix.Kill(os.Getpid(), unix.Signal(sig))
}
