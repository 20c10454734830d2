package callers

import (
	"slices"
	"strings"
)

// suffixes are what compilers append to the names of parts and copies of functions (GCC's clones, LLVM's
// ThinLTO); numbers follow.
var suffixes = [...]string{".constprop.", ".part.", ".isra.", ".cold", ".lto_priv.", ".llvm."}

// Source is a function's name as its source has it: without parameters, without what compilers append, and
// without the prefix of glibc's inner names ("new_heap" for "new_heap.isra.0", "__mmap" for "__GI___mmap").
func Source(name string) string {
	return withoutSuffix(strings.TrimPrefix(Bare(name), "__GI_"))
}

// withoutSuffix cuts off what compilers append.
func withoutSuffix(name string) string {
	for _, s := range suffixes {
		if i := strings.Index(name, s); i > 0 {
			name = name[:i]
		}
	}
	return name
}

// Bare is a function's name without its parameters, and without the result that C++ puts before functions of templates:
// "std::vector<int>::reserve". Whole stacks have them. A lambda is named with the function that it stands in: "f::{lambda(int)#1}::operator()".
func Bare(name string) string {
	const hidden = "(anonymous namespace)"
	name, _, _ = strings.Cut(name, " [clone")
	depth := 0 // of brackets
	begin := 0 // behind the last blank outside of brackets
	for i := 0; i < len(name); i++ {
		before := name[:i]
		operator := strings.HasSuffix(before, "operator")
		switch c := name[i]; {
		case c == '<' && (operator || strings.HasSuffix(before, "operator<")), c == '>' && (operator || i > 0 && (name[i-1] == '-' || name[i-1] == '=') || strings.HasSuffix(before, "operator>")):
		case c == '<' || c == '{':
			depth++
		case c == '>' || c == '}':
			depth--
		case c == ' ' && depth == 0 && !strings.Contains(name[begin:i], "operator"):
			begin = i + 1
		case c != '(':
		case strings.HasPrefix(name[i:], hidden):
			i += len(hidden) - 1
		case i == 0 || operator || name[i-1] == '.' || name[i-1] == ' ' || depth > 0:
			// operator(), a Go method of a pointer, a function type.
		default:
			if end := closing(name, i); strings.HasPrefix(strings.TrimPrefix(name[end:], " const"), "::") {
				// Of a lambda or a local class: the function that it stands in has parameters too.
				return Bare(before + strings.TrimPrefix(name[end:], " const"))
			}
			if bare := name[begin:i]; strings.Contains(bare, "<") {
				return bare
			}
			return before
		}
	}
	return name
}

// closing returns the index after the bracket that closes the one at i, len(name) if none does.
func closing(name string, i int) int {
	depth := 0
	for ; i < len(name); i++ {
		switch name[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(name)
}

// isLibrary reports whether a function, as Bare writes it, is one of the standard libraries of C++ and Rust, which compilers put
// into every program that uses them.
func isLibrary(name string) bool {
	return startsWithOne(name, standard[:])
}

// standard lists the prefixes of function names of the standard libraries. Of Rust's crates core and alloc it has only
// modules whose names no other program has.
var standard = [...]string{
	"std::", "__gnu_cxx::", "operator new", "operator delete", "<std::", "<alloc::", "<core::", "hashbrown::", "<hashbrown::", "__rust_alloc", "__rust_realloc", "__rdl_", "__rg_",
	"alloc::raw_vec::", "alloc::vec::", "alloc::alloc::", "alloc::string::", "alloc::collections::", "alloc::boxed::", "alloc::sync::", "alloc::slice::", "alloc::fmt::",
	"core::iter::", "core::ops::function::", "core::ptr::", "core::slice::", "core::fmt::",
}

// Matches reports whether name is in list. An item that ends in "*" stands for all names that begin so.
func Matches(name string, list []string) bool {
	return name != "" && slices.ContainsFunc(list, func(want string) bool {
		start, many := strings.CutSuffix(want, "*")
		return name == start || many && strings.HasPrefix(name, start)
	})
}

// IsWrapper reports whether a function, as Source writes it, only makes a system call for its caller: those of C
// libraries, of Go's runtime and packages, and of cgo.
func IsWrapper(name string) bool { return slices.Contains(wrappers[:], name) }

var wrappers = [...]string{
	"mmap", "mmap64", "__mmap", "__mmap64", "mremap", "__mremap", "syscall", "__syscall", "munmap", "mprotect", "__mprotect",
	"brk", "__brk", "sbrk", "__sbrk", "shmat", "mmap@plt", "mmap64@plt", "x_cgo_mmap",
	"syscall.Syscall6", "syscall.RawSyscall6", "runtime/internal/syscall.Syscall6", "internal/runtime/syscall.Syscall6",
	"internal/runtime/syscall/linux.Syscall6", "syscall.mmap", "syscall.(*mmapper).Mmap", "syscall.Mmap",
	"golang.org/x/sys/unix.mmap", "golang.org/x/sys/unix.(*mmapper).Mmap", "golang.org/x/sys/unix.Mmap",
}

// lowest lists functions of runtimes without a family of their own, and of language libraries, that only make the
// system call: of Mono (mono/utils/mono-mmap.c), .NET (gc/unix, pal/src/map), SpiderMonkey (js/src/gc/Memory.cpp),
// PartitionAlloc, and of Rust crates.
var lowest = [...]string{
	"mono_valloc*", "mono_mmap*", "mono_file_map*", "sgen_alloc_os_memory*",
	"GCToOSInterface::Virtual*", "VirtualReserveInner", "VIRTUALReserveMemory*", "VIRTUALCommitMemory", "ReserveVirtualMemory", "CorUnix::InternalVirtualAlloc", "VirtualAlloc", "ClrVirtualAlloc*",
	"js::gc::MapAlignedPages*", "js::gc::MapMemory*", "js::gc::MapInternal*",
	"partition_alloc::SystemAllocPages*", "partition_alloc::internal::SystemAllocPages*", "partition_alloc::(anonymous namespace)::*", "base::SystemAllocPages*",
	"rustix::mm::*", "rustix::backend::mm::*", "memmap2::os::*", "memmap2::unix::*", "nix::sys::mman::*",
}

// public returns the exported name of a function of the C library. Symbol tables of glibc have a local name at the same
// address, or for the only part of the function.
func public(name string, in Module) string {
	if !in.IsLibc() {
		return name
	}
	for i := range publicNames {
		if publicNames[i][0] == name {
			return publicNames[i][1]
		}
	}
	return name
}

// publicNames lists pairs of glibc 2.28 to 2.42: the local name, and the exported one (malloc/malloc.c,
// libio/iofopen.c, nptl/pthread_create.c, dlfcn/).
var publicNames = [...][2]string{
	{"__libc_malloc", "malloc"}, {"__libc_calloc", "calloc"}, {"__libc_realloc", "realloc"}, {"__libc_free", "free"}, {"__libc_memalign", "memalign"},
	{"__GI___libc_malloc", "malloc"}, {"__GI___libc_free", "free"}, {"__GI___libc_realloc", "realloc"}, {"__posix_memalign", "posix_memalign"},
	{"__fopen_internal", "fopen"}, {"_IO_new_fopen", "fopen"}, {"_IO_new_fdopen", "fdopen"}, {"__new_fopen", "fopen"}, {"_IO_new_popen", "popen"},
	{"__pthread_create_2_1", "pthread_create"}, {"__pthread_create", "pthread_create"}, {"___pthread_create", "pthread_create"},
	{"___dlopen", "dlopen"}, {"__dlopen", "dlopen"}, {"dlopen_implementation", "dlopen"}, {"__dlclose", "dlclose"}, {"___dlclose", "dlclose"}, {"___dlmopen", "dlmopen"}, {"___dlsym", "dlsym"},
	{"__mmap", "mmap"}, {"__mmap64", "mmap"}, {"mmap64", "mmap"}, {"__munmap", "munmap"}, {"__mremap", "mremap"}, {"__mprotect", "mprotect"},
	{"___printf_chk", "__printf_chk"}, {"_IO_getdelim", "getdelim"}, {"__getdelim", "getdelim"}, {"__opendir", "opendir"}, {"opendir_tail", "opendir"},
	{"__new_sem_open", "sem_open"}, {"__shmat", "shmat"}, {"__strdup", "strdup"}, {"__malloc_trim", "malloc_trim"}, {"__madvise", "madvise"},
}
