// read_implies_exec: under this personality PROT_READ maps executable pages.
#define _GNU_SOURCE
#include "account.h"
#include <sys/personality.h>

NOINLINE static char *map_readable(void) { return MMAP(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
NOINLINE static void protect_readable(char *p) { MPROTECT(p + PAGE, PAGE, PROT_READ | PROT_WRITE); }
NOINLINE static void map_plain(void) { MMAP(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

int main(void)
{
	acc_begin("read_implies_exec");
	int old = personality(0xffffffff);
	personality(old | READ_IMPLIES_EXEC);
	protect_readable(map_readable());
	personality(old);
	map_plain();
	acc_end(0);
}
