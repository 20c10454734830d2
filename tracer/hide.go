package tracer

import (
	"strconv"
	"syscall"
)

// The program should not notice our seccomp filter: prctl(PR_GET_SECCOMP) returns what it would without it.

// prGetSeccomp is PR_GET_SECCOMP of include/uapi/linux/prctl.h. Only our filter stops it.
const prGetSeccomp = 21

// asksSeccomp reports whether the thread, at a stop that our filter made, asks for its seccomp mode.
func (th *Thread) asksSeccomp() bool {
	return th.regs.Orig_rax == syscall.SYS_PRCTL && th.regs.Rdi == prGetSeccomp && bySyscallInstruction(&th.regs)
}

// hideFilter answers PR_GET_SECCOMP in the kernel's place, if our filter is the only one that the thread has in
// addition to those of vmblame itself.
func (th *Thread) hideFilter() {
	st, err := readStatus(th.TID)
	own, e := strconv.Atoi(ownStatus("Seccomp_filters"))
	if err != nil || e != nil || st.filters != own+1 {
		return // it has one of its own, or the kernel does not count them (before 5.9)
	}
	mode, _ := strconv.Atoi(ownStatus("Seccomp"))
	const none = ^uint64(0) // no system call: the kernel skips it, and returns what stands in rax
	if ptracePokeUser(th.TID, offsetOrigRAX, none) == 0 {
		ptracePokeUser(th.TID, offsetRAX, uint64(mode))
	}
}
