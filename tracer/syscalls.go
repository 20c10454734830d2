package tracer

import (
	"slices"

	"github.com/vmblame/vmblame/internal/vm"
)

// Arg describes one argument of a Syscall for the event log.
type Arg struct {
	Name string // by the man page
	Kind ArgKind
}

// ArgKind says how an argument register is read.
type ArgKind uint8

// The kinds of arguments.
const (
	Number  ArgKind = iota // unsigned 64 bit
	Int                    // signed 32 bit
	Address                // an address of the tracee
	Text                   // address of a string
)

// Syscall is one row of the table of followed calls.
type Syscall struct {
	Nr      int    // x86-64 number, -1 where the call has none there
	Nr32    int    // i386 number, -1 where the call is not followed there
	Name    string // the kernel's name
	Args    []Arg
	Effect  vm.OpKind
	Decode  func(*Call) // fills Call.Op beyond Kind; nil if Kind is sufficient
	When    []When      // follow only calls that match one of these; empty means all
	AddrRet bool        // the result is an address
}

// When restricts a row to calls whose argument Arg, masked by Mask (0 means all bits of the low word),
// equals (or, with Not, differs from) Value. The filter compares 32 bits.
type When struct {
	Arg   int
	Mask  uint32
	Value uint32
	Not   bool
}

func num(n string) Arg  { return Arg{n, Number} }
func sint(n string) Arg { return Arg{n, Int} }
func adr(n string) Arg  { return Arg{n, Address} }
func text(n string) Arg { return Arg{n, Text} }

// Advice values that change the flags of a mapping, or which of its pages can be accessed (include/uapi/asm-generic/mman-common.h); all
// others change contents or page tables only.
var flagAdvice = []When{
	{Arg: 2, Value: 0}, {Arg: 2, Value: 1}, {Arg: 2, Value: 2}, // NORMAL, RANDOM, SEQUENTIAL
	{Arg: 2, Value: 10}, {Arg: 2, Value: 11}, // DONTFORK, DOFORK
	{Arg: 2, Value: 12}, {Arg: 2, Value: 13}, // MERGEABLE, UNMERGEABLE
	{Arg: 2, Value: 14}, {Arg: 2, Value: 15}, // HUGEPAGE, NOHUGEPAGE
	{Arg: 2, Value: 16}, {Arg: 2, Value: 17}, // DONTDUMP, DODUMP
	{Arg: 2, Value: 18}, {Arg: 2, Value: 19}, // WIPEONFORK, KEEPONFORK
	{Arg: 2, Value: 102}, {Arg: 2, Value: 103}, // GUARD_INSTALL, GUARD_REMOVE
}

// prctl and arch_prctl operations that touch mappings (include/uapi/linux/prctl.h, asm/prctl.h).
const (
	prSetMM     = 35
	prSetVMA    = 0x53564d41
	archMapX32  = 0x2001
	archMap32   = 0x2002
	archMap64   = 0x2003
	archShstkOn = 0x5001
	archShstkNo = 0x5002
)

// pageAdvice are the values of AdviceMovesPages, which are followed only where that was asked for: allocators give such advice often.
var pageAdvice = []When{
	{Arg: 2, Value: vm.AdviseDontNeed}, {Arg: 2, Value: vm.AdviseFree}, {Arg: 2, Value: vm.AdviseRemove},
	{Arg: 2, Value: vm.AdviseCold}, {Arg: 2, Value: vm.AdvisePageOut},
	{Arg: 2, Value: vm.AdvisePopulateRead}, {Arg: 2, Value: vm.AdvisePopulateWrite}, {Arg: 2, Value: vm.AdviseDontNeedLocked},
}

// followed returns the rows of the table; with advice, the one of madvise takes in pageAdvice.
func followed(advice bool) []Syscall {
	rows := slices.Clone(syscalls[:])
	for i := range rows {
		if advice && rows[i].Effect == vm.OpAdvise {
			rows[i].When = slices.Concat(flagAdvice, pageAdvice)
		}
	}
	return rows
}

// syscalls is the table of followed calls. To follow another, add a row here and a traced program.
var syscalls = [...]Syscall{
	{9, 90, "mmap", []Arg{adr("addr"), num("length"), sint("prot"), sint("flags"), sint("fd"), num("offset")}, vm.OpMap, decodeMap, nil, true},
	{-1, 192, "mmap2", []Arg{adr("addr"), num("length"), sint("prot"), sint("flags"), sint("fd"), num("pgoffset")}, vm.OpMap, decodeMap, nil, true},
	{10, 125, "mprotect", []Arg{adr("addr"), num("len"), sint("prot")}, vm.OpProtect, decodeRange, nil, false},
	{11, 91, "munmap", []Arg{adr("addr"), num("length")}, vm.OpUnmap, decodeRange, nil, false},
	{12, 45, "brk", []Arg{adr("addr")}, vm.OpBrk, decodeAddr, nil, true},
	{25, 163, "mremap", []Arg{adr("old_address"), num("old_size"), num("new_size"), sint("flags"), adr("new_address")}, vm.OpRemap, decodeRemap, nil, true},
	{28, 219, "madvise", []Arg{adr("addr"), num("length"), sint("advice")}, vm.OpAdvise, decodeAdvise, flagAdvice, false},
	{30, 397, "shmat", []Arg{sint("shmid"), adr("shmaddr"), sint("shmflg")}, vm.OpShmAttach, decodeShmat, nil, true},
	{67, 398, "shmdt", []Arg{adr("shmaddr")}, vm.OpShmDetach, decodeAddr, nil, false},
	{-1, 117, "ipc", []Arg{num("call"), num("first"), num("second"), num("third"), adr("ptr"), num("fifth")}, vm.OpShmAttach, nil, []When{{Arg: 0, Value: 21}, {Arg: 0, Value: 22}}, false},
	{206, 245, "io_setup", []Arg{num("nr_events"), adr("ctx_idp")}, vm.OpAioSetup, nil, nil, false},
	{207, 246, "io_destroy", []Arg{adr("ctx_id")}, vm.OpAioDestroy, decodeAddr, nil, false},
	{216, 257, "remap_file_pages", []Arg{adr("addr"), num("size"), sint("prot"), num("pgoff"), sint("flags")}, vm.OpRemapFile, decodeRemapFile, nil, false},
	{329, 380, "pkey_mprotect", []Arg{adr("addr"), num("len"), sint("prot"), sint("pkey")}, vm.OpProtect, decodeRange, nil, false},
	{453, 453, "map_shadow_stack", []Arg{adr("addr"), num("size"), num("flags")}, vm.OpShadowStack, nil, nil, true},
	{158, 384, "arch_prctl", []Arg{sint("op"), adr("addr")}, vm.OpMapVdso, nil, []When{
		{Arg: 0, Value: archMapX32}, {Arg: 0, Value: archMap32}, {Arg: 0, Value: archMap64},
		{Arg: 0, Value: archShstkOn}, {Arg: 0, Value: archShstkNo}}, false},
	{157, 172, "prctl", []Arg{sint("op"), num("attr"), adr("addr"), num("size"), adr("val")}, vm.OpName, decodePrctl, []When{
		{Arg: 0, Value: prSetVMA}, {Arg: 0, Value: prSetMM}}, false},
	{59, 11, "execve", []Arg{text("pathname"), adr("argv"), adr("envp")}, vm.OpExec, nil, nil, false},
	{322, 358, "execveat", []Arg{sint("dirfd"), text("pathname"), adr("argv"), adr("envp"), sint("flags")}, vm.OpExec, nil, nil, false},
	{57, 2, "fork", nil, vm.OpClone, decodeFork, nil, false},
	{58, 190, "vfork", nil, vm.OpClone, decodeVfork, nil, false},
	// A clone that makes a thread copies nothing and is reported by its event stop; the entry matters for a copy of
	// the address space and for CLONE_UNTRACED.
	{56, 120, "clone", []Arg{num("flags")}, vm.OpClone, decodeClone, []When{
		{Arg: 0, Mask: vm.CloneVM, Value: 0}, {Arg: 0, Mask: vm.CloneUntraced, Value: vm.CloneUntraced}}, false},
	{435, 435, "clone3", []Arg{adr("cl_args"), num("size")}, vm.OpClone, nil, nil, false},
	{135, 136, "personality", []Arg{num("persona")}, vm.OpPersonality, nil, []When{{Arg: 0, Value: 0xffffffff, Not: true}}, false},
}

// matches reports whether a call with these arguments is followed.
func (s *Syscall) matches(args *[6]uint64) bool {
	if len(s.When) == 0 {
		return true
	}
	for _, w := range s.When {
		v := uint32(args[w.Arg])
		if w.Mask != 0 {
			v &= w.Mask
		}
		if (v == w.Value) != w.Not {
			return true
		}
	}
	return false
}
