// clone_vm: a process of its own that shares the memory of its parent; both map at the same time.
#define _GNU_SOURCE
#include "account.h"
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

static char *shared_range, stack[256 * 1024] __attribute__((aligned(4096)));

NOINLINE static void parent_range(void) { shared_range = MAP_ANON_RW(8 * PAGE); }

NOINLINE static void child_takes_parents(void) { MUNMAP(shared_range + 2 * PAGE, 3 * PAGE); }
NOINLINE static void child_range(void) { MAP_ANON_RW(11 * PAGE); }

NOINLINE static void pairs(int n)
{
	for (int i = 0; i < n; i++) {
		void *p = mmap(NULL, (1 + i % 7) * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || munmap(p, (1 + i % 7) * PAGE) != 0)
			acc_fail("pairs");
	}
}

static int child_main(void *arg)
{
	(void)arg;
	child_takes_parents();
	pairs(500);
	child_range();
	return 0;
}

int main(void)
{
	int status;
	acc_begin("clone_vm");
	parent_range();
	int child = clone(child_main, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
	pairs(500);
	if (waitpid(child, &status, 0) != child || status != 0)
		return 1;
	acc_end(0);
}
