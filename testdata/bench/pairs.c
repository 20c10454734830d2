// pairs N DEPTH: N pairs of mmap and munmap at the bottom of DEPTH frames of recursion. With glibc the stack of
// each call has DEPTH + 6 frames: mmap, pairs, DEPTH times recurse, main, and three of the start-up.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

__attribute__((noinline, noclone)) static int pairs(long n)
{
	for (long i = 0; i < n; i++) {
		void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || munmap(p, 8192) != 0)
			return 1;
	}
	return 0;
}

__attribute__((noinline, noclone)) static int recurse(long n, int depth)
{
	volatile int keep = depth;
	return (depth > 1 ? recurse(n, depth - 1) : pairs(n)) + keep - depth;
}

int main(int argc, char **argv)
{
	return argc < 3 ? 2 : recurse(atol(argv[1]), atoi(argv[2]));
}
