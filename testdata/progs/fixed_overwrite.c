// fixed_overwrite: MAP_FIXED over three live mappings and a hole: four pieces go, one comes.
#define _GNU_SOURCE
#include "account.h"

NOINLINE static char *bottom(void) { return MAP_ANON_RW(12 * PAGE); }
NOINLINE static void middle(char *p) { MMAP(p + 3 * PAGE, 3 * PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0); }
NOINLINE static void hole(char *p) { MUNMAP(p + 7 * PAGE, PAGE); }
NOINLINE static void protect(char *p) { MPROTECT(p + 8 * PAGE, PAGE, PROT_NONE); }
NOINLINE static void over_all(char *p)
{
	MMAP(p + PAGE, 9 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

int main(void)
{
	acc_begin("fixed_overwrite");
	char *p = bottom();
	middle(p);
	hole(p);
	protect(p);
	over_all(p);
	acc_end(0);
}
