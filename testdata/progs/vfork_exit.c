// vfork_exit: a vfork child that maps in its parent's memory and exits without exec; the pages stay.
#define _GNU_SOURCE
#include "account.h"
#include <sys/wait.h>
#include <unistd.h>

NOINLINE static void left_behind(void) { MAP_ANON_RW(9 * PAGE); }

NOINLINE static pid_t start(void)
{
	pid_t child = vfork();
	if (child == 0) {
		left_behind();
		_exit(0);
	}
	return child;
}

int main(void)
{
	int status;
	acc_begin("vfork_exit");
	pid_t child = start();
	if (waitpid(child, &status, 0) != child || status != 0)
		return 1;
	acc_end(0);
}
