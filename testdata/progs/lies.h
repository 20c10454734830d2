// What the programs that lie about their memory (memory_lies_*.c) share: memory of their own, each mapping with a line
//   own START END
// and nothing mapped behind it.
#ifndef LIES_H
#define LIES_H
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((unused)) static uint64_t *own(size_t align, size_t size)
{
	char *p = mmap(0, size + align + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *at = (char *)(((uintptr_t)p + align) & -align);
	mprotect(at, size, PROT_READ | PROT_WRITE);
	printf("own %lx %lx\n", (long)at, (long)at + size);
	return (uint64_t *)at;
}

// ready waits for standard input to close.
__attribute__((unused)) static int ready(void)
{
	char c;
	puts("ready");
	fflush(stdout);
	return read(0, &c, 1) != 0;
}
#endif
