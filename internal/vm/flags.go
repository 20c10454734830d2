package vm

// Bits of prot, mmap(2) and mprotect(2) (include/uapi/asm-generic/mman-common.h).
const (
	ProtNone      = 0x0
	ProtRead      = 0x1
	ProtWrite     = 0x2
	ProtExec      = 0x4
	ProtSem       = 0x8
	ProtGrowsDown = 0x01000000 // mprotect: from the start of the growing-down mapping
	ProtGrowsUp   = 0x02000000
)

// Bits of flags, mmap(2) (include/uapi/linux/mman.h, asm-generic/mman-common.h, asm-generic/mman.h,
// arch/x86/include/uapi/asm/mman.h).
const (
	MapShared         = 0x01
	MapPrivate        = 0x02
	MapSharedValidate = 0x03
	MapDroppable      = 0x08
	MapTypeMask       = 0x0f // selects one of the four above
	MapFixed          = 0x10
	MapAnonymous      = 0x20
	Map32Bit          = 0x40
	MapAbove4G        = 0x80
	MapGrowsDown      = 0x0100
	MapDenyWrite      = 0x0800
	MapExecutable     = 0x1000
	MapLocked         = 0x2000
	MapNoReserve      = 0x4000
	MapPopulate       = 0x8000
	MapNonblock       = 0x10000
	MapStack          = 0x20000
	MapHugeTLB        = 0x40000
	MapSync           = 0x80000
	MapFixedNoReplace = 0x100000
	MapUninitialized  = 0x4000000
	MapHugeShift      = 26 // with MapHugeTLB: lowest bit of the field that holds log2 of the page size
	MapHugeMask       = 0x3f
)

// Bits of flags, mremap(2) (include/uapi/linux/mman.h).
const (
	RemapMayMove   = 0x1
	RemapFixed     = 0x2
	RemapDontUnmap = 0x4
)

// Bits of shmflg, shmat(2) (include/uapi/linux/shm.h).
const (
	ShmReadOnly = 0o10000
	ShmRound    = 0o20000 // round the address down to a page
	ShmRemap    = 0o40000 // replace what is mapped there
	ShmExec     = 0o100000
)

// Bits of flags, clone(2) and clone3(2) (include/uapi/linux/sched.h).
const (
	CloneSignalMask    = 0x000000ff // clone(2) only: the signal sent to the parent when the child ends
	CloneVM            = 0x00000100
	CloneFS            = 0x00000200
	CloneFiles         = 0x00000400
	CloneSighand       = 0x00000800
	ClonePidFD         = 0x00001000
	ClonePtrace        = 0x00002000
	CloneVfork         = 0x00004000
	CloneParent        = 0x00008000
	CloneThread        = 0x00010000
	CloneNewNS         = 0x00020000
	CloneSysVSem       = 0x00040000
	CloneSetTLS        = 0x00080000
	CloneParentSetTID  = 0x00100000
	CloneChildClearTID = 0x00200000
	CloneDetached      = 0x00400000
	CloneUntraced      = 0x00800000
	CloneChildSetTID   = 0x01000000
	CloneNewPID        = 0x20000000
)

// Advice values of madvise(2) that change flags of a mapping, so that the kernel may split or merge rows
// (mm/madvise.c madvise_vma_behavior). All others change contents only.
const (
	AdviseNormal      = 0
	AdviseRandom      = 1
	AdviseSequential  = 2
	AdviseDontFork    = 10
	AdviseDoFork      = 11
	AdviseMergeable   = 12
	AdviseUnmergeable = 13
	AdviseHugePage    = 14
	AdviseNoHugePage  = 15
	AdviseDontDump    = 16
	AdviseDoDump      = 17
	AdviseWipeOnFork  = 18
	AdviseKeepOnFork  = 19
)

// Advice values of madvise(2) after which other pages of the mapping are, or may be, in memory, and the mapping is as it was.
const (
	AdviseDontNeed       = 4
	AdviseFree           = 8
	AdviseRemove         = 9
	AdviseCold           = 20
	AdvisePageOut        = 21
	AdvisePopulateRead   = 22
	AdvisePopulateWrite  = 23
	AdviseDontNeedLocked = 24
)

// AdviceMovesPages reports whether madvise(2) with this advice changes which pages are in memory.
func AdviceMovesPages(advice uint64) bool {
	switch advice {
	case AdviseDontNeed, AdviseFree, AdviseRemove, AdviseCold, AdvisePageOut, AdvisePopulateRead, AdvisePopulateWrite, AdviseDontNeedLocked:
		return true
	}
	return false
}

// AdviceChangesFlags reports whether madvise(2) with this advice changes flags of the mapping rather than
// its contents.
func AdviceChangesFlags(advice uint64) bool {
	return advice <= AdviseSequential || AdviseDontFork <= advice && advice <= AdviseKeepOnFork
}

// Options of prctl(2) that touch the address space (include/uapi/linux/prctl.h).
const (
	PrctlSetMM          = 35
	PrctlSetVMA         = 0x53564d41
	PrctlSetVMAAnonName = 0 // the only value of its second argument
)

// Options of arch_prctl(2) that map the vDSO (arch/x86/include/uapi/asm/prctl.h).
const (
	ArchMapVdsoX32 = 0x2001
	ArchMapVdso32  = 0x2002
	ArchMapVdso64  = 0x2003
)

// Bits of personality(2) that change how mmap works (include/uapi/linux/personality.h).
const (
	PersonaNoRandomize      = 0x0040000
	PersonaMapPageZero      = 0x0100000
	PersonaCompatLayout     = 0x0200000
	PersonaReadImpliesExec  = 0x0400000
	Persona32BitAddresses   = 0x0800000
	PersonaAddressLimit3GiB = 0x8000000
)
