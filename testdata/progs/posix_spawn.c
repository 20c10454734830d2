// posix_spawn: a child by CLONE_VM|CLONE_VFORK on a stack that libc maps and unmaps for it.
#define _GNU_SOURCE
#include "account.h"
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

NOINLINE static void before_spawn(void) { MAP_ANON_RW(6 * PAGE); }
NOINLINE static void after_spawn(void) { MAP_ANON_RW(5 * PAGE); }
NOINLINE static void spawned(void) { MAP_ANON_RW(7 * PAGE); }

int main(int argc, char **argv)
{
	char *args[] = {"posix_spawn", "child", NULL};
	pid_t child;
	int status;
	acc_begin("posix_spawn");
	if (argc > 1 && !strcmp(argv[1], "child")) {
		spawned();
		acc_end(0);
	}
	before_spawn();
	if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, args, environ) != 0)
		return 1;
	if (waitpid(child, &status, 0) != child || status != 0)
		return 1;
	after_spawn();
	acc_end(0);
}
