package tracer

import (
	"syscall"

	"github.com/vmblame/vmblame/internal/vm"
)

// exiting handles PTRACE_EVENT_EXIT, and reports whether it filled t.stop. If a call was under way, rax holds its
// result, unless a kill made the kernel skip the call: then it still holds the -ENOSYS set by the entry code.
func (t *Tracer) exiting(th *Thread) bool {
	s := Stop{Kind: Exiting, Thread: th}
	if th.inCall && th.followed {
		rax, e := ptracePeekUser(th.TID, offsetRAX)
		if e == 0 {
			s.Call, s.Result = &th.call, int64(rax)
			if th.call.ABI == ABI32 {
				s.Result = compatResult(uint32(rax))
			}
			s.NotExecuted = s.Result == -int64(syscall.ENOSYS) || th.rolledBack(rax)
		}
	}
	t.lastLocks(th, &s)
	th.inCall, th.followed, th.exiting = false, false, true
	return t.out(s)
}

// lastLocks reports the acquisitions of mmap_lock by an exiting thread that no stop has reported: a kill suppresses the
// stop, not the effect of the call. The registers show what call they belong to, as far as that can be known.
func (t *Tracer) lastLocks(th *Thread, s *Stop) {
	first, last, n := th.takeOpen()
	if n == 0 {
		return
	}
	own := 0
	if ptraceGetRegs(th.TID, &th.regs) == 0 && t.decode(th) {
		var made bool
		if own, made = th.ownLocks(); made {
			s.Call, s.Result, s.Order = &th.call, th.result(), last
		}
	}
	if own = min(own, n); n > own {
		s.First, s.Count = first, uint64(n-own)
	}
}

// ownLocks examines the call in the registers of a thread that was killed in it, or at its end. It returns how many
// acquisitions of mmap_lock certainly belong to that call, and whether the kernel performed it as a followed call. A
// call that failed may have done so before it took the lock, and execve takes the lock of the new image: the
// acquisitions may then belong to an earlier call, whose signal was lost.
func (th *Thread) ownLocks() (own int, made bool) {
	result := th.result()
	switch {
	case th.call.Op.Kind == vm.OpPages, th.rolledBack(th.regs.Rax), result == -int64(syscall.EINTR), result == -int64(syscall.ENOSYS):
		return 0, false // killed before it began, or in the wait for the lock; a filter has answered it; or it changes no mapping
	case th.call.Op.Kind == vm.OpClone:
		return 2, false // see copied: the copy changed nothing in this address space
	case th.call.Op.Kind == vm.OpExec, result < 0:
		return 0, true
	}
	return 1, true
}

// rolledBack reports whether a seccomp filter answered a call with SECCOMP_RET_TRAP or _KILL. The kernel then
// restores the call's number in rax (kernel/seccomp.c, syscall_rollback), a value that no call which maps or unmaps
// can return.
func (th *Thread) rolledBack(rax uint64) bool {
	switch th.call.Op.Kind {
	case vm.OpClone, vm.OpPersonality:
		return false
	}
	return rax == th.regs.Orig_rax
}
