package tracer

import "github.com/vmblame/vmblame/internal/vm"

// A child made with CLONE_UNTRACED would share our filter but have no tracer, and each of its mapping
// calls would fail with ENOSYS (seccomp(2), SECCOMP_RET_TRACE). The flag is therefore taken from the call
// at its entry, and put back where the program can see it once the kernel has read it.

// clearedFlag records where a flag was cleared.
type clearedFlag struct {
	set   bool
	addr  uint64 // clone3: address of the flags; 0 for the register
	value uint64
}

func (th *Thread) clearUntraced() {
	c := &th.call
	if c.Op.CloneFlags&vm.CloneUntraced == 0 {
		return
	}
	flags := c.Op.CloneFlags &^ vm.CloneUntraced
	c.Op.CloneFlags = flags
	if c.Syscall.Nr == 435 {
		if ptracePokeData(th.TID, uintptr(c.Args[0]), flags) == 0 {
			th.cleared = clearedFlag{true, c.Args[0], flags | vm.CloneUntraced}
		}
		return
	}
	if c.ABI != ABI32 && ptracePokeUser(th.TID, offsetRDI, c.Args[0]&^vm.CloneUntraced) == 0 {
		th.cleared = clearedFlag{true, 0, c.Args[0]}
	}
}

// restore puts the flag back in the thread's registers or memory.
func (c clearedFlag) restore(th *Thread) {
	switch {
	case !c.set:
	case c.addr != 0:
		ptracePokeData(th.TID, uintptr(c.addr), c.value)
	default:
		ptracePokeUser(th.TID, offsetRDI, c.value)
	}
}
