// fork: the child inherits every range with its origin, then each goes its own way.
#define _GNU_SOURCE
#include "account.h"
#include <sys/wait.h>
#include <unistd.h>

NOINLINE static char *before_fork(void)
{
	char *p = MAP_ANON_RW(8 * PAGE);
	MMAP(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	p[0] = 1;
	return p;
}

NOINLINE static void in_child(char *p)
{
	MAP_ANON_RW(3 * PAGE);
	MUNMAP(p, 4 * PAGE);
	MPROTECT(p + 6 * PAGE, PAGE, PROT_READ);
}

NOINLINE static void in_parent(char *p)
{
	MAP_ANON_RW(5 * PAGE);
	MUNMAP(p + 4 * PAGE, 2 * PAGE);
}

int main(void)
{
	int status;
	acc_begin("fork");
	char *p = before_fork();
	pid_t child = fork();
	if (child == 0) {
		in_child(p);
		acc_end(0);
	}
	in_parent(p);
	if (waitpid(child, &status, 0) != child || status != 0)
		return 1;
	acc_end(0);
}
