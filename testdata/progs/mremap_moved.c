// mremap_moved: moved to where the kernel likes, and then onto a live mapping with MREMAP_FIXED.
#define _GNU_SOURCE
#include "account.h"

NOINLINE static char *hemmed_in(void)
{
	char *p = MAP_ANON_RW(8 * PAGE);
	MMAP(p + 4 * PAGE, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0); // nowhere to grow
	p[0] = 'x';
	return p;
}

NOINLINE static char *target(void) { return MAP_ANON_RW(20 * PAGE); }

static char *move(char *p, unsigned long old, unsigned long new, int flags, char *to, const char *fn)
{
	acc_cut(&acc_live, p, old);
	char *q = mremap(p, old, new, flags, to);
	acc_did(fn, "mremap", p, old, acc_ret((long)q));
	if (q == MAP_FAILED || q == p)
		acc_fail("not-moved");
	acc_add(&acc_live, q, new, fn, "mremap");
	acc_printf("moved pid=%d from=%x to=%x len=%d", (long)acc_pid(), (unsigned long)p, (unsigned long)q, old);
	return q;
}

NOINLINE static char *move_anywhere(char *p) { return move(p, 4 * PAGE, 10 * PAGE, MREMAP_MAYMOVE, NULL, __func__); }
NOINLINE static char *move_onto(char *p, char *to)
{
	return move(p, 10 * PAGE, 10 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + 4 * PAGE, __func__);
}

int main(void)
{
	acc_begin("mremap_moved");
	char *p = move_onto(move_anywhere(hemmed_in()), target());
	acc_end(p[0] == 'x' ? 0 : 1);
}
