// clone_vm_outlives: the parent exits first; its memory lives on in the process that shares it.
#define _GNU_SOURCE
#include "account.h"
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static char stack[256 * 1024] __attribute__((aligned(4096)));
static int lifeline[2];

NOINLINE static void by_parent(void) { MAP_ANON_RW(8 * PAGE); }
NOINLINE static void by_survivor(void) { MAP_ANON_RW(11 * PAGE); }

static int child_main(void *arg)
{
	char c;
	(void)arg;
	close(lifeline[1]);
	if (read(lifeline[0], &c, 1) != 0) // the end of the file is the end of the parent
		return 1;
	by_survivor();
	acc_end(0);
}

int main(void)
{
	acc_begin("clone_vm_outlives");
	by_parent();
	if (pipe(lifeline) != 0 || clone(child_main, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL) < 0)
		return 1;
	syscall(SYS_exit_group, 0);
}
