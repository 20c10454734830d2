// fixed_noreplace: MAP_FIXED_NOREPLACE takes free pages and refuses (EEXIST) where one is taken.
#define _GNU_SOURCE
#include "account.h"

enum { FLAGS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE };

NOINLINE static char *first(void) { return MAP_ANON_RW(8 * PAGE); }
NOINLINE static void hole(char *p) { MUNMAP(p + 2 * PAGE, 3 * PAGE); }
NOINLINE static void fill_hole(char *p) { MMAP(p + 2 * PAGE, 2 * PAGE, PROT_READ, FLAGS, -1, 0); }
NOINLINE static void refused(char *p) { MMAP(p + 3 * PAGE, 2 * PAGE, PROT_READ, FLAGS, -1, 0); }

int main(void)
{
	acc_begin("fixed_noreplace");
	char *p = first();
	hole(p);
	fill_hole(p);
	refused(p);
	acc_end(0);
}
