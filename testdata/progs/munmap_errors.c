// munmap_errors: what munmap refuses, and what it takes without a word.
#define _GNU_SOURCE
#include "account.h"
#include <sys/syscall.h>
#include <unistd.h>

enum { MSEAL = 462 };

NOINLINE static char *make(void) { return MAP_ANON_RW(12 * PAGE); }

NOINLINE static void refused(char *p)
{
	acc_did(__func__, "munmap", p + 1, PAGE, acc_ret(munmap(p + 1, PAGE)));
	acc_did(__func__, "munmap", p, 0, acc_ret(munmap(p, 0)));
	acc_did(__func__, "munmap", p, -1UL, acc_ret(munmap(p, -1UL)));
}

NOINLINE static void part_of_a_page(char *p) { MUNMAP(p, 1); }
NOINLINE static void over_hole_and_rows(char *p) { MUNMAP(p + 2 * PAGE, 4 * PAGE); }
NOINLINE static void nothing_there(char *p) { MUNMAP(p + 2 * PAGE, 4 * PAGE); }
NOINLINE static void rows(char *p)
{
	MPROTECT(p + 2 * PAGE, PAGE, PROT_READ);
	MUNMAP(p + 4 * PAGE, PAGE);
}

NOINLINE static void sealed(char *p)
{
	if (syscall(MSEAL, p + 8 * PAGE, PAGE, 0) != 0) {
		acc_lacks("mseal", errno);
		return;
	}
	acc_did(__func__, "munmap", p + 7 * PAGE, 3 * PAGE, acc_ret(munmap(p + 7 * PAGE, 3 * PAGE)));
	MPROTECT(p + 7 * PAGE, 3 * PAGE, PROT_NONE);
}

int main(void)
{
	acc_begin("munmap_errors");
	char *p = make();
	refused(p);
	part_of_a_page(p);
	rows(p);
	over_hole_and_rows(p);
	nothing_there(p);
	sealed(p);
	acc_end(0);
}
