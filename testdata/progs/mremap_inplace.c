// mremap_inplace: grown where it stands, then shrunk: the first pages keep their origin, those added are the mremap's.
#define _GNU_SOURCE
#include "account.h"

NOINLINE static char *make_room(void)
{
	char *p = MAP_ANON_RW(32 * PAGE);
	MUNMAP(p + 4 * PAGE, 28 * PAGE);
	return p;
}

NOINLINE static void grow_in_place(char *p)
{
	char *q = mremap(p, 4 * PAGE, 12 * PAGE, 0);
	acc_did(__func__, "mremap", p, 4 * PAGE, acc_ret((long)q));
	if (q == p)
		acc_add(&acc_live, p + 4 * PAGE, 8 * PAGE, __func__, "mremap");
}

NOINLINE static void shrink_in_place(char *p)
{
	acc_cut(&acc_live, p + 9 * PAGE, 3 * PAGE);
	acc_did(__func__, "mremap", p, 12 * PAGE, acc_ret((long)mremap(p, 12 * PAGE, 9 * PAGE, 0)));
}

int main(void)
{
	acc_begin("mremap_inplace");
	char *p = make_room();
	grow_in_place(p);
	shrink_in_place(p);
	acc_end(0);
}
