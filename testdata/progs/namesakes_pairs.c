// A program's own functions that call each other under the names of pairs of an allocator's: also where the C library is part of the
// program, so that both are in one file. The files of their source, which debugging information has, tell them apart.
#include "truth.h"
#include <sys/mman.h>

#define NOINLINE __attribute__((noinline))
#define GRAB(name, prot, flags, kind, label) \
	NOINLINE static char *name(size_t n) \
	{ \
		char *p = mmap(NULL, n, prot, MAP_PRIVATE | MAP_ANONYMOUS | (flags), -1, 0); \
		is(p, n, kind, label " by " #name); \
		return p; \
	}

GRAB(sysmalloc, PROT_READ | PROT_WRITE, 0, "direct", "anonymous memory")
NOINLINE static char *_int_malloc(size_t n) { return sysmalloc(n) + 1; }
NOINLINE static char *pool_malloc(size_t n) { return _int_malloc(n) + 1; }

GRAB(pages_map, PROT_READ | PROT_WRITE, MAP_NORESERVE, "direct", "anonymous memory")
NOINLINE static char *extent_alloc_mmap(size_t n) { return pages_map(n) + 1; }

GRAB(new_heap, PROT_NONE, MAP_NORESERVE, "reserved", "reserved addresses")
NOINLINE static char *_int_new_arena(size_t n) { return new_heap(n) + 1; }
NOINLINE static char *arena_get2(size_t n) { return _int_new_arena(n) + 1; }

GRAB(alloc_group, PROT_READ | PROT_WRITE, 0, "direct", "anonymous memory")
NOINLINE static char *alloc_slot(size_t n) { return alloc_group(n) + 1; }

// Of runtimes, too.
#define PAIR(inner, outer) \
	GRAB(inner, PROT_READ | PROT_WRITE, 0, "direct", "anonymous memory") \
	NOINLINE static char *outer(void) { return inner(1 << 20) + 1; }

PAIR(zend_mm_mmap, zend_mm_chunk_alloc)
PAIR(erts_mmap, erts_mseg_alloc_opt)
PAIR(lj_alloc_malloc, lj_alloc_f)
PAIR(mono_valloc, sgen_alloc_os_memory)
PAIR(my_large_virtual_alloc, my_virtual_mem_commit)
PAIR(my_large_malloc, init_key_cache)
PAIR(_PyObject_ArenaMmap, new_arena)

int main(void)
{
	char *(*pairs[])(void) = {zend_mm_chunk_alloc, erts_mseg_alloc_opt, lj_alloc_f, sgen_alloc_os_memory, my_virtual_mem_commit, init_key_cache, new_arena};
	for (unsigned i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (!pairs[i]())
			return 1;
	char *a = pool_malloc(20 << 20), *b = extent_alloc_mmap(30 << 20), *c = arena_get2(128 << 20), *d = alloc_slot(10 << 20);
	return !a || !b || !c || !d;
}
