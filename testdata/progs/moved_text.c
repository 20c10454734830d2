// A program that moves its own code onto pages of no file, as node --use-largepages, ClickHouse and others do for huge pages: what it
// maps afterwards was made by functions of the same names, and its code is code of the file as before. Another copy of it that it
// may execute is its own. It says "ready" and waits for its standard input to close.
#define _GNU_SOURCE
#include "truth.h"
#include <string.h>
#include <sys/mman.h>

__attribute__((noinline)) static char *after_move(size_t n)
{
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(p, 1, n / 2);
	return p;
}

__attribute__((noinline)) static char *worker(size_t n) { return after_move(n); }

int main(void)
{
	unsigned long a, b, lo = 0, hi = 0;
	char line[512], perms[8];
	FILE *f = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "%lx-%lx %7s", &a, &b, perms) == 3 && a <= (unsigned long)worker && (unsigned long)worker < b)
			lo = a, hi = b;
	fclose(f);
	char *t = mmap(NULL, hi - lo, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(t, (char *)lo, hi - lo);
	mprotect(t, hi - lo, PROT_READ | PROT_EXEC);
	mremap(t, hi - lo, hi - lo, MREMAP_MAYMOVE | MREMAP_FIXED, lo);
	char *p = worker(20 << 20);
	is(p, 20 << 20, "direct", "anonymous memory by after_move");
	is((void *)lo, hi - lo, "elf-text", "code of moved_text");
	char *copy = mmap(NULL, hi - lo, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(copy, (char *)lo, hi - lo);
	mprotect(copy, hi - lo, PROT_READ | PROT_EXEC);
	is(copy, hi - lo, "direct", "anonymous memory by main");
	printf("ready\n");
	fflush(stdout);
	getchar();
	return 0;
}
