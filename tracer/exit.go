package tracer

import (
	"syscall"

	"github.com/vmblame/vmblame/internal/vm"
)

// exiting handles PTRACE_EVENT_EXIT. If a call was under way, rax holds its result, unless a kill made the kernel
// skip the call: then it still is the -ENOSYS set by the entry code.
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

// lastLocks reports the acquisitions of mmap_lock of an exiting thread that no stop has reported: a kill suppresses
// the stop, not the effect of the call. They belong to earlier calls if the call in the registers was killed while it
// waited for the lock.
func (t *Tracer) lastLocks(th *Thread, s *Stop) {
	first, last, n := th.takeOpen()
	if n == 0 {
		return
	}
	own := 0
	switch decoded := ptraceGetRegs(th.TID, &th.regs) == 0 && t.decode(th); {
	case !decoded || th.call.Op.Kind == vm.OpPages || th.result() == -int64(syscall.EINTR):
	case th.call.Op.Kind == vm.OpClone:
		own = min(n, 2) // see copied: the copy changed nothing in this address space
	default:
		own = 1
		s.Call, s.Result, s.Order = &th.call, th.result(), last
	}
	if n > own {
		s.First, s.Count = first, uint64(n-own)
	}
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
