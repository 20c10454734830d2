// One thread, and 200 coroutine stacks of 2 MiB with a guard each, mapped with MAP_STACK as PHP, CRuby and others do;
// then a pool of 16 in one mapping.
// Right: coroutine stacks; no thread is claimed, and nothing is advised about ulimit -s, OMP_STACKSIZE or -Xss, since
// none of them changes these.
#define _GNU_SOURCE
#include "truth.h"
#include <string.h>
#include <sys/mman.h>

__attribute__((noinline)) static char *stacks(int n, size_t size)
{
	char *p = mmap(0, n * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	for (int i = 0; i < n; i++) {
		mprotect(p + i * size, 4096, PROT_NONE);
		memset(p + (i + 1) * size - 4096, 1, 4096);
		is(p + i * size + 4096, size - 4096, n == 1 ? "coroutine-stack" : "coroutine-pool", n == 1 ? "coroutine stack" : "pool of coroutine stacks: with 16 guards");
	}
	return p;
}

int main(void)
{
	for (int i = 0; i < 200; i++)
		stacks(1, (2 << 20) + 4096);
	stacks(16, 256 << 10);
	puts("never ulimit");
	return 0;
}
