package vm

// OpKind says what a system call does to the address space, whatever its name and number.
type OpKind uint8

// The kinds. OpNone is a call that changes no mapping.
const (
	OpNone        OpKind = iota
	OpMap                // mmap(2), mmap2 of i386
	OpUnmap              // munmap(2)
	OpProtect            // mprotect(2), pkey_mprotect(2)
	OpBrk                // brk(2)
	OpRemap              // mremap(2)
	OpShmAttach          // shmat(2)
	OpShmDetach          // shmdt(2)
	OpAioSetup           // io_setup(2): maps the ring
	OpAioDestroy         // io_destroy(2): unmaps it
	OpRemapFile          // remap_file_pages(2)
	OpShadowStack        // map_shadow_stack(2)
	OpMapVdso            // arch_prctl(2) with ARCH_MAP_VDSO_*
	OpAdvise             // madvise(2) where the advice changes flags of the mapping
	OpName               // prctl(2) with PR_SET_VMA
	OpExec               // execve(2), execveat(2)
	OpClone              // fork(2), vfork(2), clone(2), clone3(2)
	OpPersonality        // personality(2)
	OpSetMM              // prctl(2) with PR_SET_MM
	OpPages              // madvise(2) where the advice changes which pages are in memory, and no mapping
)

var opNames = [...]string{
	OpNone: "none", OpMap: "map", OpUnmap: "unmap", OpProtect: "protect", OpBrk: "brk", OpRemap: "remap",
	OpShmAttach: "attach shm", OpShmDetach: "detach shm", OpAioSetup: "set up aio", OpAioDestroy: "destroy aio",
	OpRemapFile: "remap file pages", OpShadowStack: "map shadow stack", OpMapVdso: "map vdso",
	OpAdvise: "advise", OpName: "name", OpExec: "exec", OpClone: "clone", OpPersonality: "personality",
	OpSetMM: "set mm", OpPages: "move pages",
}

// String returns a word for messages ("unmap"); it is no system call's name.
func (k OpKind) String() string {
	if int(k) < len(opNames) {
		return opNames[k]
	}
	return "unknown"
}

// Op is the effect that a system call asks for, decoded from its arguments and nothing else. Which fields
// hold something depends on Kind; the others are zero.
type Op struct {
	Kind OpKind
	// Range is the argument range rounded to pages, where it is known at the call's entry: munmap, mprotect,
	// mmap where Fixed, mremap's old range, madvise, remap_file_pages, prctl(PR_SET_VMA).
	Range Range
	// Target is mremap's new range where MREMAP_FIXED names it.
	Target Range
	// Fixed reports whether mmap has MAP_FIXED or MAP_FIXED_NOREPLACE.
	Fixed bool
	// NoReplace reports whether mmap has MAP_FIXED_NOREPLACE: it fails where something is mapped.
	NoReplace bool
	// Prot is the prot argument of mmap, mprotect and remap_file_pages.
	Prot uint64
	// Flags is the flags argument of mmap, mremap, shmat and map_shadow_stack, madvise's advice, and the
	// persona of personality.
	Flags uint64
	// FD is the file descriptor of mmap (-1 for none) and execveat, and the segment of shmat.
	FD int
	// Offset is the file offset of mmap and remap_file_pages, in bytes.
	Offset uint64
	// Addr is an address argument that is not the start of Range: the argument of brk and shmdt, the address given to
	// shmat, the context of io_destroy, or mmap's hint, unrounded.
	Addr uint64
	// Len is the length argument as it was given, in bytes; of mremap it is the old size.
	Len uint64
	// NewLen is mremap's new size as it was given, in bytes.
	NewLen uint64
	// CloneFlags are the flags of clone and clone3, or those that fork and vfork imply.
	CloneFlags uint64
}
