// memory_single: one thread with malloc's main arena alone, a large allocation of which a part has advice of its own, and one
// that the kernel shows with what the program has mapped below it; it says what it has by the C library's own books, and waits
// for its standard input to close.
//   large START END       the chunk of a large allocation
//   own START END         what the program has mapped
//   total SYSTEM FREE     mallinfo2(3)
//   ready
#define _GNU_SOURCE
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	char c;
	void *kept[500];
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	setvbuf(stdout, 0, _IOLBF, 1 << 12);
	printf("begin\n");
	for (int i = 0; i < 500; i++)
		kept[i] = malloc(100 + i);
	for (int i = 0; i < 500; i += 2)
		free(kept[i]);
	char *p = malloc(8 << 20);
	memset(p, 1, 4096);
	size_t *chunk = (size_t *)p - 2;
	madvise((void *)(((unsigned long)p + (2 << 20)) & ~((2UL << 20) - 1)), 2 << 20, MADV_HUGEPAGE);
	printf("large %lx %lx\n", (unsigned long)chunk, (unsigned long)chunk + (chunk[1] & ~7UL));
	chunk = (size_t *)malloc(4 << 20) - 2;
	printf("large %lx %lx\n", (unsigned long)chunk, (unsigned long)chunk + (chunk[1] & ~7UL));
	char *own = (char *)chunk - (64 << 10);
	if (mmap(own, 64 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != own)
		return 1;
	memset(own, 1, 64 << 10);
	printf("own %lx %lx\n", (unsigned long)own, (unsigned long)own + (64 << 10));
	struct mallinfo2 m = mallinfo2();
	printf("total %zx %zx\n", m.arena, m.fordblks);
	printf("ready\n");
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
