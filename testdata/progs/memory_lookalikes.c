// memory_lookalikes: memory of its own that looks like an allocator's, beside what it is a copy of; then it waits for its
// standard input to close.
//   own START END       a mapping of the program's own
//   heap START END      the heap of a glibc arena, as far as it is open
//   large START END     a chunk of glibc's with a mapping of its own
//   ready
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAP (64UL << 20)

static uint64_t *volatile heap;

static void *worker(void *arg)
{
	void *p = malloc(100);
	heap = (uint64_t *)((uintptr_t)p & -HEAP);
	pause();
	return arg;
}

// own maps memory, with an address that is not mapped behind it.
static uint64_t *own(size_t align, size_t size)
{
	char *p = mmap(0, size + align + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *at = (char *)(((uintptr_t)p + align) & -align);
	mprotect(at, size, PROT_READ | PROT_WRITE);
	printf("own %lx %lx\n", (long)at, (long)at + size);
	return (uint64_t *)at;
}

int main(void)
{
	pthread_t t;
	char c;
	pthread_create(&t, 0, worker, 0);
	while (!heap)
		usleep(1000);
	printf("heap %lx %lx\n", (long)heap, (long)heap + heap[3]);

	// A heap_info that names the arena, and a heap before it.
	uint64_t *h = own(HEAP, 8 << 20);
	h[0] = heap[0], h[1] = (uintptr_t)heap, h[2] = h[3] = 4 << 20;
	// A copy of a heap, and one whose arena is libc's or nobody's.
	memcpy(own(HEAP, HEAP), heap, heap[2]);
	h = own(HEAP, 8 << 20);
	h[0] = (uintptr_t)stdout & -16, h[1] = (uintptr_t)heap, h[2] = h[3] = 4 << 20;

	// A copy of a chunk, and headers that are made up.
	uint64_t *chunk = (uint64_t *)((char *)malloc(4 << 20) - 16);
	size_t size = chunk[1] & -8;
	printf("large %lx %lx\n", (long)chunk, (long)chunk + size);
	memcpy(own(4096, size), chunk, size);
	own(4096, 8 << 20)[1] = 8 << 20 | 2;
	own(4096, 16 << 20)[1] = 4 << 20 | 2;

	// What jemalloc begins a base block with, and records of extents in it.
	uint64_t *victim = own(4096, 32 << 20), *b = own(HEAP, 4 << 20);
	*victim = 1;
	b[0] = 4 << 20, b[2] = 0x1234, b[3] = (uintptr_t)b + (1 << 20), b[4] = 3 << 20;
	for (int i = 1; i < 11; i++)
		b[512 + i * 16 + 1] = (uintptr_t)victim + (i << 21), b[512 + i * 16 + 2] = 2 << 20;
	printf("ready\n");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
