package vm

import (
	"syscall"
	"testing"
)

// TestFlags holds the constants against those the standard library has.
func TestFlags(t *testing.T) {
	for _, c := range [][2]int{
		{ProtNone, syscall.PROT_NONE}, {ProtRead, syscall.PROT_READ}, {ProtWrite, syscall.PROT_WRITE},
		{ProtExec, syscall.PROT_EXEC}, {ProtGrowsDown, syscall.PROT_GROWSDOWN}, {ProtGrowsUp, syscall.PROT_GROWSUP},
		{MapShared, syscall.MAP_SHARED}, {MapPrivate, syscall.MAP_PRIVATE}, {MapTypeMask, syscall.MAP_TYPE},
		{MapFixed, syscall.MAP_FIXED}, {MapAnonymous, syscall.MAP_ANONYMOUS}, {Map32Bit, syscall.MAP_32BIT},
		{MapGrowsDown, syscall.MAP_GROWSDOWN}, {MapDenyWrite, syscall.MAP_DENYWRITE}, {MapExecutable, syscall.MAP_EXECUTABLE},
		{MapLocked, syscall.MAP_LOCKED}, {MapNoReserve, syscall.MAP_NORESERVE}, {MapPopulate, syscall.MAP_POPULATE},
		{MapNonblock, syscall.MAP_NONBLOCK}, {MapStack, syscall.MAP_STACK}, {MapHugeTLB, syscall.MAP_HUGETLB},
		{AdviseRandom, syscall.MADV_RANDOM}, {AdviseSequential, syscall.MADV_SEQUENTIAL}, {AdviseDontFork, syscall.MADV_DONTFORK},
		{AdviseDoFork, syscall.MADV_DOFORK}, {AdviseMergeable, syscall.MADV_MERGEABLE}, {AdviseUnmergeable, syscall.MADV_UNMERGEABLE},
		{AdviseHugePage, syscall.MADV_HUGEPAGE}, {AdviseNoHugePage, syscall.MADV_NOHUGEPAGE},
		{CloneVM, syscall.CLONE_VM}, {CloneFS, syscall.CLONE_FS}, {CloneFiles, syscall.CLONE_FILES},
		{CloneSighand, syscall.CLONE_SIGHAND}, {ClonePtrace, syscall.CLONE_PTRACE}, {CloneVfork, syscall.CLONE_VFORK},
		{CloneParent, syscall.CLONE_PARENT}, {CloneThread, syscall.CLONE_THREAD}, {CloneNewNS, syscall.CLONE_NEWNS},
		{CloneSysVSem, syscall.CLONE_SYSVSEM}, {CloneSetTLS, syscall.CLONE_SETTLS}, {CloneParentSetTID, syscall.CLONE_PARENT_SETTID},
		{CloneChildClearTID, syscall.CLONE_CHILD_CLEARTID}, {CloneDetached, syscall.CLONE_DETACHED},
		{CloneUntraced, syscall.CLONE_UNTRACED}, {CloneChildSetTID, syscall.CLONE_CHILD_SETTID}, {CloneNewPID, syscall.CLONE_NEWPID},
	} {
		if c[0] != c[1] {
			t.Errorf("%#x, want %#x", c[0], c[1])
		}
	}
}
