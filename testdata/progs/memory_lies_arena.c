// memory_lies_arena: heaps of glibc arenas that are none: rings of arenas that loop without main_arena, that run into it and
// not back, that are a million long, chains of heaps that loop, sizes of 2^63, bins that loop.
#define _GNU_SOURCE
#include "lies.h"
#include <stdlib.h>
#include <string.h>

#define HEAP (64UL << 20)
#define NEXT (2160 / 8) // malloc_state.next in glibc 2.36

// arena makes a heap that says it is the first one of the arena in it.
static uint64_t *arena(void)
{
	uint64_t *h = own(HEAP, HEAP);
	h[0] = (uintptr_t)h + 0x30, h[1] = 0, h[2] = h[3] = 1 << 20;
	h[6 + 12] = (uintptr_t)h + 0x10000; // top, whose size is more than there is
	h[0x10000 / 8 + 1] = 1UL << 63 | 1;
	for (int i = 14; i < 14 + 254; i++) // each bin is a list that leads to itself, and on to the next
		h[6 + i] = (uintptr_t)&h[6 + i];
	return h;
}

int main(void)
{
	uint64_t *a = arena(), *b = arena(), *c = arena(), *d = arena();
	a[6 + NEXT] = (uintptr_t)&b[6], b[6 + NEXT] = (uintptr_t)&a[6]; // a ring of two
	c[6 + NEXT] = (uintptr_t)&c[6];                                // of one
	d[6 + NEXT] = ((uintptr_t)stdout & -16) + 16;                  // into the C library

	uint64_t *e = arena(), *f = own(HEAP, HEAP); // two heaps, each before the other
	e[1] = (uintptr_t)f, f[0] = (uintptr_t)&e[6], f[1] = (uintptr_t)e, f[2] = f[3] = 1 << 20;
	e[6 + 12] = (uintptr_t)f + 0x1000;

	uint64_t *g = arena(); // a ring of arenas a million long, in its own heap
	for (size_t i = 0; i < 1000000; i++)
		*(uint64_t *)((char *)g + 0x30 + i * 16 + NEXT * 8) = (uintptr_t)g + 0x30 + (i + 1) % 1000000 * 16;

	uint64_t *h = own(HEAP, HEAP); // sizes that wrap
	h[0] = (uintptr_t)h + 0x30, h[2] = 1UL << 63, h[3] = 1UL << 63;

	uint64_t *large = own(4096, 1 << 20); // a chunk of 2^63 bytes, and chunks of a page one behind the other up to the end, but for the last
	large[1] = 1UL << 63 | 2;
	large = own(4096, 8 << 20);
	for (size_t at = 0; at < 1 << 20; at += 512)
		large[at + 1] = 4096 | 2;
	return ready();
}
