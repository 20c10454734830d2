// mremap_fails: a source with a hole, a bad size, no room: what stands there is what the kernel left.
// Linux 6.17 and later move over a hole where the size stays; older ones fail, some with the target gone.
#define _GNU_SOURCE
#include "account.h"

NOINLINE static char *holed(void)
{
	char *p = MAP_ANON_RW(6 * PAGE);
	MUNMAP(p + 2 * PAGE, PAGE);
	return p;
}

NOINLINE static char *target(void) { return MAP_ANON_RW(8 * PAGE); }

static void over_hole(char *p, char *to, unsigned long new, const char *fn)
{
	unsigned long s, e;
	void *q = mremap(p, 6 * PAGE, new, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	acc_did(fn, "mremap", p, 6 * PAGE, acc_ret((long)q));
	if (!acc_row(to, &s, &e))
		acc_cut(&acc_live, to, new);
	if (q == MAP_FAILED)
		return;
	acc_cut(&acc_live, p, 6 * PAGE);
	acc_cut(&acc_live, to, 6 * PAGE);
	acc_add(&acc_live, to, 2 * PAGE, fn, "mremap");
	acc_add(&acc_live, to + 3 * PAGE, 3 * PAGE, fn, "mremap");
}

NOINLINE static void move_over_hole(char *p, char *to) { over_hole(p, to, 6 * PAGE, __func__); }
NOINLINE static void grow_over_hole(char *p, char *to) { over_hole(p, to, 8 * PAGE, __func__); }

NOINLINE static void bad_sizes(char *p)
{
	acc_did(__func__, "mremap", p, PAGE, acc_ret((long)mremap(p, PAGE, 0, MREMAP_MAYMOVE)));
	acc_did(__func__, "mremap", p + 1, PAGE, acc_ret((long)mremap(p + 1, PAGE, PAGE, MREMAP_MAYMOVE)));
	acc_did(__func__, "mremap", p + PAGE, PAGE, acc_ret((long)mremap(p + PAGE, PAGE, 1UL << 46, MREMAP_MAYMOVE)));
}

int main(void)
{
	acc_begin("mremap_fails");
	bad_sizes(holed());
	grow_over_hole(holed(), target());
	move_over_hole(holed(), target());
	acc_end(0);
}
