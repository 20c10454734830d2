// A program's own functions that are called like those of allocators and runtimes: `static void *alloc_mmap(size_t n)
// { return mmap(...); }` stands so in many public programs. There is no jemalloc, musl, mimalloc, Ruby, OCaml or
// Python here, and malloc is never called.
// Right: each is anonymous memory by its function, likely. A runtime's kind needs more than the caller's name: its
// library, or a second function of it on the stack, or the shape of the call.
#include "truth.h"
#include <string.h>
#include <sys/mman.h>

#define GRAB(name) \
	__attribute__((noinline)) char *name(size_t n) \
	{ \
		char *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); \
		memset(p, 1, 4096); \
		is(p, n, "direct", "anonymous memory by " #name); \
		return p; \
	}
GRAB(alloc_mmap)
GRAB(pages_map)
GRAB(alloc_slot)
GRAB(alloc_group)
GRAB(new_heap)
GRAB(sysmalloc)
GRAB(mremap_chunk)
GRAB(unix_mmap_pool)
GRAB(mi_os_pages)
GRAB(heap_page_allocate)
GRAB(caml_alloc_for_heap)
GRAB(_PyObject_ArenaMmap)

int main(void)
{
	char *(*f[])(size_t) = {alloc_mmap, pages_map, alloc_slot, alloc_group, new_heap, sysmalloc, mremap_chunk, unix_mmap_pool,
				mi_os_pages, heap_page_allocate, caml_alloc_for_heap, _PyObject_ArenaMmap};
	static char line[256];
	int sum = 0;
	setvbuf(stdout, line, _IOLBF, sizeof line); // stdio asks malloc for nothing
	for (unsigned i = 0; i < sizeof f / sizeof *f; i++)
		sum += f[i]((i + 1) << 20)[5];
	return sum - 12;
}
