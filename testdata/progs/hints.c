// hints: a hint taken, a hint passed over, MAP_32BIT, a length that is no whole page, and refused mmaps.
#define _GNU_SOURCE
#include "account.h"

enum { FLAGS = MAP_PRIVATE | MAP_ANONYMOUS };

NOINLINE static char *no_hint(void) { return MMAP(NULL, 6 * PAGE, PROT_READ, FLAGS, -1, 0); }
NOINLINE static void hint_passed_over(char *p) { MMAP(p, 2 * PAGE, PROT_WRITE, FLAGS, -1, 0); }
NOINLINE static void hint_taken(void) { MMAP((void *)0x300000000000, 2 * PAGE, PROT_READ, FLAGS, -1, 0); }
NOINLINE static void below_4g(void) { MMAP(NULL, 5 * PAGE, PROT_READ, FLAGS | MAP_32BIT, -1, 0); }
NOINLINE static void odd_length(void) { MMAP(NULL, PAGE + 1, PROT_READ, FLAGS | MAP_STACK | MAP_NORESERVE, -1, 0); }
NOINLINE static void populated(void) { MMAP(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, FLAGS | MAP_POPULATE, -1, 0); }
NOINLINE static void refused(void)
{
	MMAP(NULL, 0, PROT_READ, FLAGS, -1, 0);
	MMAP((void *)1, PAGE, PROT_READ, FLAGS | MAP_FIXED, -1, 0);
	MMAP(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0);
}

int main(void)
{
	acc_begin("hints");
	hint_passed_over(no_hint());
	hint_taken();
	below_4g();
	odd_length();
	populated();
	refused();
	acc_end(0);
}
