package strace

import (
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/vm"
)

// A flagName is a bit, or the value of a field, of an argument. It applies where v&mask == value.
type flagName struct {
	mask, value uint64
	name        string
}

// A flagTable is how strace writes an argument: names joined by "|", unnamed bits in hexadecimal.
type flagTable struct {
	zero  string // 0 is written so; "0" where empty
	names []flagName
}

// format writes v, an int of the C library's prototype.
func (t *flagTable) format(v uint64) string {
	v &= 1<<32 - 1
	all := v
	if v == 0 && t.zero != "" {
		return t.zero
	}
	var parts []string
	for _, n := range t.names {
		if v&n.mask == n.value && (n.value != 0 || n.mask == 1<<32-1) {
			parts = append(parts, n.name)
			v &^= n.mask
		}
	}
	if t == &mapFlags && all&vm.MapHugeTLB != 0 && v>>vm.MapHugeShift != 0 {
		parts = append(parts, strconv.FormatUint(v>>vm.MapHugeShift, 10)+"<<MAP_HUGE_SHIFT")
		v &= 1<<vm.MapHugeShift - 1
	}
	if v != 0 || len(parts) == 0 {
		s := strconv.FormatUint(v, 16)
		if v != 0 {
			s = "0x" + s
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "|")
}

// Value writes the value of an argument by its names, as AppendCall does: "MADV_DONTNEED".
func Value(call, arg string, v uint64) string {
	if t := argTable(call, arg); t != nil {
		return t.format(v)
	}
	return strconv.FormatUint(v, 10)
}

// argTable returns the table of an argument, nil where it is a plain number.
func argTable(call, arg string) *flagTable {
	for _, a := range argTables {
		if a.arg == arg && (a.call == "" || a.call == call) {
			return a.table
		}
	}
	return nil
}

var argTables = [...]struct {
	call, arg string
	table     *flagTable
}{
	{"", "prot", &protFlags},
	{"mmap", "flags", &mapFlags},
	{"mmap2", "flags", &mapFlags},
	{"remap_file_pages", "flags", &mapFlags},
	{"mremap", "flags", &remapFlags},
	{"map_shadow_stack", "flags", &shadowFlags},
	{"execveat", "flags", &atFlags},
	{"", "shmflg", &shmFlags},
	{"", "advice", &adviceNames},
	{"prctl", "op", &prctlNames},
	{"prctl", "attr", &vmaNames},
	{"arch_prctl", "op", &archNames},
}

func bit(v uint64, name string) flagName  { return flagName{v, v, name} }
func word(v uint64, name string) flagName { return flagName{1<<32 - 1, v, name} }

// include/uapi/asm-generic/mman-common.h, arch/x86/include/uapi/asm/mman.h
var protFlags = flagTable{"PROT_NONE", []flagName{
	bit(vm.ProtRead, "PROT_READ"),
	bit(vm.ProtWrite, "PROT_WRITE"),
	bit(vm.ProtExec, "PROT_EXEC"),
	bit(vm.ProtSem, "PROT_SEM"),
	bit(vm.ProtGrowsDown, "PROT_GROWSDOWN"),
	bit(vm.ProtGrowsUp, "PROT_GROWSUP"),
}}

// include/uapi/linux/mman.h, asm-generic/mman-common.h, asm-generic/mman.h
var mapFlags = flagTable{"", []flagName{
	{vm.MapTypeMask, vm.MapShared, "MAP_SHARED"},
	{vm.MapTypeMask, vm.MapPrivate, "MAP_PRIVATE"},
	{vm.MapTypeMask, vm.MapSharedValidate, "MAP_SHARED_VALIDATE"},
	{vm.MapTypeMask, vm.MapDroppable, "MAP_DROPPABLE"},
	bit(vm.MapFixed, "MAP_FIXED"),
	bit(vm.MapAnonymous, "MAP_ANONYMOUS"),
	bit(vm.Map32Bit, "MAP_32BIT"),
	bit(vm.MapAbove4G, "MAP_ABOVE4G"),
	bit(vm.MapGrowsDown, "MAP_GROWSDOWN"),
	bit(vm.MapDenyWrite, "MAP_DENYWRITE"),
	bit(vm.MapExecutable, "MAP_EXECUTABLE"),
	bit(vm.MapLocked, "MAP_LOCKED"),
	bit(vm.MapNoReserve, "MAP_NORESERVE"),
	bit(vm.MapPopulate, "MAP_POPULATE"),
	bit(vm.MapNonblock, "MAP_NONBLOCK"),
	bit(vm.MapStack, "MAP_STACK"),
	bit(vm.MapHugeTLB, "MAP_HUGETLB"),
	bit(vm.MapSync, "MAP_SYNC"),
	bit(vm.MapFixedNoReplace, "MAP_FIXED_NOREPLACE"),
}}

// include/uapi/linux/mman.h
var remapFlags = flagTable{"", []flagName{
	bit(vm.RemapMayMove, "MREMAP_MAYMOVE"),
	bit(vm.RemapFixed, "MREMAP_FIXED"),
	bit(vm.RemapDontUnmap, "MREMAP_DONTUNMAP"),
}}

// arch/x86/include/uapi/asm/mman.h
var shadowFlags = flagTable{"", []flagName{bit(1, "SHADOW_STACK_SET_TOKEN"), bit(2, "SHADOW_STACK_SET_MARKER")}}

// include/uapi/linux/fcntl.h
var atFlags = flagTable{"", []flagName{
	bit(0x100, "AT_SYMLINK_NOFOLLOW"), bit(0x1000, "AT_EMPTY_PATH"), bit(0x10000, "AT_EXECVE_CHECK"),
}}

// include/uapi/linux/shm.h
var shmFlags = flagTable{"", []flagName{
	bit(vm.ShmReadOnly, "SHM_RDONLY"),
	bit(vm.ShmRound, "SHM_RND"),
	bit(vm.ShmRemap, "SHM_REMAP"),
	bit(vm.ShmExec, "SHM_EXEC"),
}}

// include/uapi/asm-generic/mman-common.h
var adviceNames = flagTable{"MADV_NORMAL", []flagName{
	word(1, "MADV_RANDOM"), word(2, "MADV_SEQUENTIAL"), word(3, "MADV_WILLNEED"), word(4, "MADV_DONTNEED"),
	word(8, "MADV_FREE"), word(9, "MADV_REMOVE"), word(10, "MADV_DONTFORK"), word(11, "MADV_DOFORK"),
	word(12, "MADV_MERGEABLE"), word(13, "MADV_UNMERGEABLE"), word(14, "MADV_HUGEPAGE"),
	word(15, "MADV_NOHUGEPAGE"), word(16, "MADV_DONTDUMP"), word(17, "MADV_DODUMP"),
	word(18, "MADV_WIPEONFORK"), word(19, "MADV_KEEPONFORK"), word(20, "MADV_COLD"), word(21, "MADV_PAGEOUT"),
	word(22, "MADV_POPULATE_READ"), word(23, "MADV_POPULATE_WRITE"), word(24, "MADV_DONTNEED_LOCKED"),
	word(25, "MADV_COLLAPSE"), word(102, "MADV_GUARD_INSTALL"), word(103, "MADV_GUARD_REMOVE"),
}}

// include/uapi/linux/prctl.h
var prctlNames = flagTable{"", []flagName{word(35, "PR_SET_MM"), word(0x53564d41, "PR_SET_VMA")}}
var vmaNames = flagTable{"PR_SET_VMA_ANON_NAME", nil}

// arch/x86/include/uapi/asm/prctl.h
var archNames = flagTable{"", []flagName{
	word(0x2001, "ARCH_MAP_VDSO_X32"), word(0x2002, "ARCH_MAP_VDSO_32"), word(0x2003, "ARCH_MAP_VDSO_64"),
	word(0x5001, "ARCH_SHSTK_ENABLE"), word(0x5002, "ARCH_SHSTK_DISABLE"),
}}
