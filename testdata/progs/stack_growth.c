// stack_growth: 2 MiB of recursion; the main stack grows with no call.
#define _GNU_SOURCE
#include "account.h"

enum { STEP = 16 * 1024, DEPTH = 2 * 1024 * 1024 / STEP };

NOINLINE static int recurse(int n)
{
	volatile char frame[STEP];
	frame[0] = n;
	return n ? recurse(n - 1) + frame[0] : 0;
}

NOINLINE static void map_before(void) { MAP_ANON_RW(2 * PAGE); }
NOINLINE static void map_after(void) { MAP_ANON_RW(3 * PAGE); }

int main(void)
{
	unsigned long start, end, after;
	char here;
	acc_begin("stack_growth");
	map_before();
	acc_row(&here, &start, &end);
	recurse(DEPTH);
	acc_row(&here, &after, &end);
	acc_printf("grown pid=%d start=%x end=%x beside=[stack]", (long)acc_pid(), after, start);
	map_after();
	acc_end(start - after >= DEPTH * STEP - 256 * 1024 ? 0 : 1);
}
