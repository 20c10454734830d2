// fork_dontfork: the child lacks what the parent marked MADV_DONTFORK, though no call unmapped it.
#define _GNU_SOURCE
#include "account.h"
#include <sys/wait.h>
#include <unistd.h>

NOINLINE static char *mark_dontfork(void)
{
	char *p = MAP_ANON_RW(6 * PAGE);
	if (madvise(p + 2 * PAGE, 2 * PAGE, MADV_DONTFORK) != 0)
		acc_fail("madvise");
	return p;
}

// mark_around marks both sides of a hole: madvise fails, and has done it.
NOINLINE static char *mark_around(void)
{
	char *p = MAP_ANON_RW(3 * PAGE);
	MUNMAP(p + PAGE, PAGE);
	if (madvise(p, 3 * PAGE, MADV_DONTFORK) == 0)
		acc_fail("madvise");
	return p;
}

// grow moves a marked page, and what it adds is marked too.
NOINLINE static char *grow(char *p)
{
	char *q = mremap(p, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
	acc_did(__func__, "mremap", p, PAGE, acc_ret((long)q));
	if (q == MAP_FAILED)
		acc_fail("mremap");
	acc_cut(&acc_live, p, PAGE);
	acc_add(&acc_live, q, 3 * PAGE, __func__, "mremap");
	return q;
}

NOINLINE static void reuse_in_child(char *p)
{
	MMAP(p + 2 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

int main(void)
{
	int status;
	acc_begin("fork_dontfork");
	char *p = mark_dontfork();
	char *q = mark_around();
	char *grown = grow(q + 2 * PAGE);
	pid_t child = fork();
	if (child == 0) {
		acc_cut(&acc_live, p + 2 * PAGE, 2 * PAGE);
		acc_cut(&acc_live, q, PAGE);
		acc_cut(&acc_live, grown, 3 * PAGE);
		reuse_in_child(p);
		acc_end(0);
	}
	if (waitpid(child, &status, 0) != child || status != 0)
		return 1;
	acc_end(0);
}
