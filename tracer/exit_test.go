package tracer

import (
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

// What the locks of a thread are that was killed is known only where its last call has succeeded.
func TestOwnLocks(t *testing.T) {
	const munmap = 11
	for _, c := range []struct {
		what string
		kind vm.OpKind
		rax  int64
		own  int
		made bool
	}{
		{"it succeeded", vm.OpUnmap, 0, 1, true},
		{"it failed, perhaps before the lock", vm.OpUnmap, -int64(syscall.EINVAL), 0, true},
		{"it was killed in the wait for the lock", vm.OpUnmap, -int64(syscall.EINTR), 0, false},
		{"it was killed before it began", vm.OpUnmap, -int64(syscall.ENOSYS), 0, false},
		{"a filter has answered it", vm.OpUnmap, munmap, 0, false},
		{"a fork takes the lock of the copy, too", vm.OpClone, 4711, 2, false},
		{"execve takes that of the new image", vm.OpExec, -int64(syscall.EAGAIN), 0, true},
		{"advice changes no mapping", vm.OpPages, 0, 0, false},
	} {
		var th Thread
		th.regs.Orig_rax, th.regs.Rax, th.call.Op.Kind = munmap, uint64(c.rax), c.kind
		if own, made := th.ownLocks(); own != c.own || made != c.made {
			t.Errorf("%s: %d are its own, made %v", c.what, own, made)
		}
	}
}
