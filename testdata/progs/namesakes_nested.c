// A program's own functions that call each other as those of glibc's malloc do, in a process whose C library is a file: its
// functions are in that file.
#include "truth.h"
#include <sys/mman.h>

#define NOINLINE __attribute__((noinline))

NOINLINE char *new_heap(size_t n)
{
	char *p = mmap(0, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	is(p, n, "reserved", "reserved addresses by new_heap");
	return p;
}
NOINLINE char *_int_new_arena(size_t n) { return new_heap(n) + 1; }
NOINLINE char *arena_get2(size_t n) { return _int_new_arena(n) + 1; }

NOINLINE char *sysmalloc(size_t n)
{
	char *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	is(p, n, "direct", "anonymous memory by sysmalloc");
	return p;
}
NOINLINE char *_int_malloc(size_t n) { return sysmalloc(n) + 1; }

NOINLINE char *__minimal_malloc(size_t n)
{
	char *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	is(p, n, "direct", "anonymous memory by __minimal_malloc");
	return p;
}

int main(void)
{
	char *a = arena_get2(64 << 20), *b = arena_get2(128 << 20), *c = _int_malloc(4 << 20), *d = __minimal_malloc(8192);
	return !a || !b || !c || !d;
}
