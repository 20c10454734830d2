// exec_fails: an execve that fails leaves the address space as it was.
#define _GNU_SOURCE
#include "account.h"
#include <unistd.h>

NOINLINE static void before_exec(void) { MAP_ANON_RW(3 * PAGE); }
NOINLINE static void after_exec(void) { MAP_ANON_RW(4 * PAGE); }

int main(void)
{
	acc_begin("exec_fails");
	before_exec();
	acc_did("main", "execve", NULL, 0, acc_ret(execl("/", "/", NULL)));
	after_exec();
	acc_end(0);
}
