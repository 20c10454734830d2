package report

import (
	"path"
	"strings"
)

// allocatorFunction tells whether a function is an allocator's, which programs often carry inside them:
// who asked for memory is the one that called it. Names are those of jemalloc (src/), under any public
// prefix, and of mimalloc, tcmalloc and snmalloc.
func allocatorFunction(name string) bool {
	name = sourceName(name)
	for _, p := range allocatorPrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	for _, n := range allocatorNames {
		if name == n {
			return true
		}
	}
	return false
}

var allocatorPrefixes = [...]string{
	"pages_", "os_pages_", "extent_", "extents_", "ehooks_", "ecache_", "pac_", "pa_", "hpa_", "emap_", "rtree_", "base_block_", "base_alloc", "base_map",
	"base_new", "base_boot", "arena_choose", "arena_new", "arena_init", "arena_slab_", "arena_extent_", "arena_cache_bin_", "arena_tcache_fill_", "arena_malloc",
	"arena_palloc", "arena_ralloc", "arena_bin_", "arena_tdata_", "arena_boot", "arena_get", "large_palloc", "large_malloc", "large_ralloc", "tcache_alloc_", "tcache_create", "tsd_tcache_",
	"tsd_fetch", "tsd_boot", "malloc_init_", "malloc_default", "malloc_tsd_", "malloc_vmem", "ialloc", "iallocztm", "imalloc", "fallback_impl", "default_alloc_impl",
	"mi_", "_mi_", "tcmalloc::", "snmalloc::",
	// What a Go program asks of its runtime and of the kernel.
	"runtime.", "internal/runtime/", "internal/cpu.", "syscall.",
}

var allocatorNames = [...]string{
	"malloc", "calloc", "realloc", "free", "posix_memalign", "aligned_alloc", "memalign", "mallocx", "rallocx", "sdallocx", "dallocx",
	"operator new(unsigned long)", "operator new[](unsigned long)",
}

// sourceName is a function's name in the allocator's source: without the prefix of a build, and without
// what compilers append to parts and copies.
func sourceName(name string) string {
	for _, suffix := range [...]string{".constprop.", ".isra.", ".part.", ".cold", ".lto_priv.", ".llvm."} {
		if i := strings.Index(name, suffix); i > 0 {
			name = name[:i]
		}
	}
	return strings.TrimPrefix(strings.TrimPrefix(name, "_rjem_"), "je_")
}

// insideAllocator tells whether a function only gets pages for an allocator, for whatever purpose.
func insideAllocator(name string) bool {
	name = sourceName(name)
	for _, n := range insides {
		if name == n {
			return true
		}
	}
	return false
}

// insides are functions of jemalloc's src/ and of glibc's malloc/ and elf/dl-map-segments.h.
var insides = [...]string{
	"os_pages_map", "pages_map", "pages_boot", "extent_alloc_mmap", "ehooks_default_alloc_impl", "ehooks_alloc", "ecache_alloc_grow", "extent_alloc_wrapper",
	"extent_grow_retained", "pac_alloc_real", "pac_alloc_impl", "pac_alloc_new_guarded", "pa_alloc", "arena_extent_alloc_large", "large_palloc", "large_malloc", "arena_slab_alloc", "base_map", "base_block_alloc", "base_alloc_impl", "base_alloc", "base_extent_alloc",
	"alloc_new_heap", "new_heap", "_int_new_arena", "arena_get2", "arena_get_retry", "tcache_init", "sysmalloc", "sysmalloc_mmap", "_int_malloc", "_int_realloc",
	"_int_free", "mmap_chunk", "sbrk", "__sbrk", "brk", "__brk", "__glibc_morecore", "_dl_map_segment", "_dl_map_segments",
	// runtime/mem.go, mem_linux.go and malloc.go of Go.
	"runtime.sysMmap", "runtime.mmap", "runtime.sysReserveOS", "runtime.sysReserve", "runtime.sysReserveAligned", "runtime.sysMapOS", "runtime.sysMap",
	"runtime.sysAllocOS", "runtime.sysAlloc", "runtime.persistentalloc", "runtime.persistentalloc1", "runtime.persistentalloc.func1", "runtime.systemstack",
}

// bareName is a function's name without its parameters: "std::vector<int>::reserve". Whole stacks have them.
func bareName(name string) string {
	name, _, _ = strings.Cut(name, " [clone")
	depth := 0
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '<':
			depth++
		case '>':
			depth--
		case '(':
			switch {
			case strings.HasPrefix(name[i:], "(anonymous namespace)"):
				i += len("(anonymous namespace)") - 1
			case i == 0 || strings.HasSuffix(name[:i], "operator") || name[i-1] == '.' || name[i-1] == ' ' || depth > 0:
				// operator(), a Go method of a pointer, a function type.
			default:
				return name[:i]
			}
		}
	}
	return name
}

// publicName is the name under which programs know a function of the C library's: glibc's symbol tables
// have another name at the same address, or for the function's only part, before it.
func publicName(name, module string) string {
	if !strings.HasPrefix(path.Base(module), "libc.so") && !strings.HasPrefix(path.Base(module), "libc-2") {
		return name
	}
	for i := range publicNames {
		if publicNames[i][0] == name {
			return publicNames[i][1]
		}
	}
	return name
}

// publicNames are of glibc 2.28 to 2.42: the local name, and the exported one (malloc/malloc.c,
// libio/iofopen.c, nptl/pthread_create.c, dlfcn/).
var publicNames = [...][2]string{
	{"__libc_malloc", "malloc"}, {"__libc_calloc", "calloc"}, {"__libc_realloc", "realloc"}, {"__libc_free", "free"}, {"__libc_memalign", "memalign"},
	{"__GI___libc_malloc", "malloc"}, {"__GI___libc_free", "free"}, {"__GI___libc_realloc", "realloc"}, {"__posix_memalign", "posix_memalign"},
	{"__fopen_internal", "fopen"}, {"_IO_new_fopen", "fopen"}, {"_IO_new_fdopen", "fdopen"}, {"__new_fopen", "fopen"}, {"_IO_new_popen", "popen"},
	{"__pthread_create_2_1", "pthread_create"}, {"__pthread_create", "pthread_create"}, {"___pthread_create", "pthread_create"},
	{"___dlopen", "dlopen"}, {"__dlopen", "dlopen"}, {"dlopen_implementation", "dlopen"}, {"__dlclose", "dlclose"}, {"___dlclose", "dlclose"}, {"___dlmopen", "dlmopen"}, {"___dlsym", "dlsym"},
	{"__mmap", "mmap"}, {"__mmap64", "mmap"}, {"mmap64", "mmap"}, {"__munmap", "munmap"}, {"__mremap", "mremap"}, {"__mprotect", "mprotect"},
	{"___printf_chk", "__printf_chk"}, {"_IO_getdelim", "getdelim"}, {"__getdelim", "getdelim"}, {"__opendir", "opendir"}, {"opendir_tail", "opendir"},
	{"__new_sem_open", "sem_open"}, {"__shmat", "shmat"}, {"__strdup", "strdup"}, {"_IO_file_doallocate", "_IO_file_doallocate"},
}
