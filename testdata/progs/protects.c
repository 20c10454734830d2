// protects: mprotect splits and joins rows, pkey_mprotect does the same, madvise and mlock split without a change.
#define _GNU_SOURCE
#include "account.h"
#include <sys/syscall.h>
#include <unistd.h>

NOINLINE static char *make(void) { return MAP_ANON_RW(16 * PAGE); }
NOINLINE static void middle_read_only(char *p) { MPROTECT(p + 4 * PAGE, 4 * PAGE, PROT_READ); }
NOINLINE static void middle_back(char *p) { MPROTECT(p + 4 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE); }
NOINLINE static void write_only(char *p) { MPROTECT(p + 10 * PAGE, PAGE, PROT_WRITE); }
NOINLINE static void nothing_changes(char *p) { MPROTECT(p, PAGE, PROT_READ | PROT_WRITE); }
NOINLINE static void by_key(char *p)
{
	// libc makes an mprotect of key -1
	acc_did(__func__, "pkey_mprotect", p + 12 * PAGE, PAGE, acc_ret(syscall(SYS_pkey_mprotect, p + 12 * PAGE, PAGE, PROT_NONE, -1)));
}
NOINLINE static void grows_down_refused(char *p)
{
	MPROTECT(p + PAGE, PAGE, PROT_READ | PROT_GROWSDOWN); // EINVAL: no stack
}
NOINLINE static void split_by_advice(char *p)
{
	madvise(p + PAGE, PAGE, MADV_DONTDUMP);
	madvise(p + 14 * PAGE, PAGE, MADV_DONTFORK);
	mlock(p + 2 * PAGE, PAGE);
}

int main(void)
{
	acc_begin("protects");
	char *p = make();
	middle_read_only(p);
	middle_back(p);
	write_only(p);
	nothing_changes(p);
	by_key(p);
	grows_down_refused(p);
	split_by_advice(p);
	acc_end(0);
}
