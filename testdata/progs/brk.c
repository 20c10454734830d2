// brk: the heap grows, shrinks, is refused growth (the old end comes back, no errno), and loses a page to munmap.
#define _GNU_SOURCE
#include "account.h"
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned long heap_end(unsigned long want) { return (unsigned long)syscall(SYS_brk, want); }
static unsigned long up(unsigned long v) { return (v + PAGE - 1) & -PAGE; }

static unsigned long move_to(unsigned long now, unsigned long want, const char *fn)
{
	if (want < now)
		acc_cut(&acc_live, (void *)up(want), up(now) - up(want));
	unsigned long got = heap_end(want);
	acc_did(fn, "brk", (void *)want, 0, got == want ? (long)got : -ENOMEM);
	if (got == want && want > now)
		acc_add(&acc_live, (void *)up(now), up(want) - up(now), fn, "brk");
	return got;
}

NOINLINE static unsigned long heap_grow(unsigned long now) { return move_to(now, now + 3 * PAGE + 100, __func__); }
NOINLINE static unsigned long heap_grow_more(unsigned long now) { return move_to(now, now + 5 * PAGE, __func__); }
NOINLINE static unsigned long heap_grow_within_page(unsigned long now) { return move_to(now, now + 8, __func__); }
NOINLINE static unsigned long heap_shrink(unsigned long now) { return move_to(now, now - 3 * PAGE, __func__); }

NOINLINE static unsigned long heap_refused(unsigned long now)
{
	struct rlimit old, small = {1 << 20, RLIM_INFINITY};
	getrlimit(RLIMIT_DATA, &old);
	small.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_DATA, &small);
	unsigned long got = move_to(now, now + (1UL << 30), __func__);
	setrlimit(RLIMIT_DATA, &old);
	return got;
}

NOINLINE static void heap_hole(unsigned long start) { MUNMAP((void *)up(start + PAGE), PAGE); }

int main(void)
{
	acc_begin("brk");
	unsigned long start = heap_end(0), now = start;
	now = heap_grow(now);
	now = heap_grow_more(now);
	now = heap_grow_within_page(now);
	now = heap_refused(now);
	now = heap_shrink(now);
	heap_hole(start);
	acc_end(0);
}
