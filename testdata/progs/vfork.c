// vfork: the child unmaps and maps in its parent's memory, then has memory of its own by exec.
#define _GNU_SOURCE
#include "account.h"
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

NOINLINE static char *parent_range(void) { return MAP_ANON_RW(6 * PAGE); }

NOINLINE static void child_in_parents_memory(char *p)
{
	MUNMAP(p + PAGE, 2 * PAGE);
	MAP_ANON_RW(9 * PAGE);
}

NOINLINE static void child_after_exec(void) { MAP_ANON_RW(7 * PAGE); }

NOINLINE static pid_t start(char *p)
{
	pid_t child = vfork();
	if (child == 0) {
		child_in_parents_memory(p);
		execl("/proc/self/exe", "vfork", "child", NULL);
		_exit(1);
	}
	return child;
}

int main(int argc, char **argv)
{
	int status;
	acc_begin("vfork");
	if (argc > 1 && !strcmp(argv[1], "child")) {
		child_after_exec();
		acc_end(0);
	}
	pid_t child = start(parent_range());
	if (waitpid(child, &status, 0) != child || status != 0)
		return 1;
	parent_range();
	acc_end(0);
}
