package mm

import (
	"syscall"

	"github.com/vmblame/vmblame/internal/vm"
)

// Asks reports whether Apply must read the kernel's view to find out what a call has done.
func (s *Space) Asks(op *vm.Op, ret Return) bool {
	switch op.Kind {
	case vm.OpMap:
		if ret.Errno != 0 {
			return op.Fixed && !(op.NoReplace && ret.Errno == syscall.EEXIST)
		}
		return !plain(op)
	case vm.OpUnmap:
		return ret.Errno != 0
	case vm.OpProtect:
		return ret.Errno != 0 || ret.ReadImpliesExec || op.Prot&(vm.ProtGrowsDown|vm.ProtGrowsUp) != 0 || !s.ledger.Covered(op.Range)
	case vm.OpRemap, vm.OpRemapFile, vm.OpName:
		return true
	case vm.OpBrk:
		return ret.Errno == 0 && s.brk == 0
	case vm.OpShmAttach:
		return ret.Errno == 0 || replacesAttached(op)
	case vm.OpShmDetach, vm.OpAioSetup, vm.OpAioDestroy, vm.OpShadowStack, vm.OpMapVdso:
		return ret.Errno == 0
	}
	return false
}
