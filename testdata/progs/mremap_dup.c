// mremap_dup: old_size 0 makes a second mapping of shared pages.
#define _GNU_SOURCE
#include "account.h"

NOINLINE static char *shared_range(void)
{
	return MMAP(NULL, 6 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

NOINLINE static char *second_mapping(char *p)
{
	return acc_mapped(mremap(p + PAGE, 0, 4 * PAGE, MREMAP_MAYMOVE), p + PAGE, 4 * PAGE, __func__, "mremap");
}

NOINLINE static void private_refused(char *p)
{
	acc_did(__func__, "mremap", p, 0, acc_ret((long)mremap(p, 0, PAGE, MREMAP_MAYMOVE)));
}

NOINLINE static char *private_range(void) { return MAP_ANON_RW(2 * PAGE); }

int main(void)
{
	acc_begin("mremap_dup");
	char *p = shared_range(), *q = second_mapping(p);
	private_refused(private_range());
	p[PAGE] = 'x';
	acc_end(q[0] == 'x' ? 0 : 1);
}
