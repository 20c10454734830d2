// mremap_dontunmap: the contents move, the old range stays mapped with its old origin.
#define _GNU_SOURCE
#include "account.h"

NOINLINE static char *source_range(void)
{
	char *p = MAP_ANON_RW(6 * PAGE);
	p[0] = 'x';
	return p;
}

NOINLINE static char *move_and_keep(char *p)
{
	char *q = mremap(p, 6 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	acc_mapped(q, p, 6 * PAGE, __func__, "mremap");
	acc_printf("moved pid=%d from=%x to=%x len=%d", (long)acc_pid(), (unsigned long)p, (unsigned long)q, 6 * PAGE);
	return q;
}

int main(void)
{
	acc_begin("mremap_dontunmap");
	char *p = source_range(), *q = move_and_keep(p);
	acc_end(q[0] == 'x' && p[0] == 0 ? 0 : 1);
}
