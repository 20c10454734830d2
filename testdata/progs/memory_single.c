// memory_single: one thread with malloc's main arena alone, and a large allocation of which a part has advice of its own; it
// says what it has by the C library's own books, and waits for its standard input to close.
//   large START END       the chunk of the large allocation
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
	struct mallinfo2 m = mallinfo2();
	printf("total %zx %zx\n", m.arena, m.fordblks);
	printf("ready\n");
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
