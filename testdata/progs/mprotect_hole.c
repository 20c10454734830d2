// mprotect_hole: ENOMEM, and yet the pages before the hole have changed.
#define _GNU_SOURCE
#include "account.h"

NOINLINE static char *make(void) { return MAP_ANON_RW(8 * PAGE); }
NOINLINE static void hole(char *p) { MUNMAP(p + 3 * PAGE, 2 * PAGE); }
NOINLINE static void protect_across(char *p) { MPROTECT(p + PAGE, 6 * PAGE, PROT_READ); }
NOINLINE static void protect_part(char *p) { MPROTECT(p + 6 * PAGE, PAGE, PROT_NONE); }

int main(void)
{
	acc_begin("mprotect_hole");
	char *p = make();
	hole(p);
	protect_across(p);
	protect_part(p);
	acc_end(0);
}
