// limits_itself: a program that maps, then lowers its own RLIMIT_AS and asks for more; a child of it is limited by prlimit(2) from outside.
// Right: each call is said to have run against the limit of that moment, and not against that at the start.
#define _GNU_SOURCE
#include "account.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

NOINLINE static void *asks(void) { return MMAP(NULL, 1UL << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0); }
NOINLINE static void *child_asks(void) { return MMAP(NULL, 1UL << 29, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0); }

int main(void)
{
	acc_begin("limits_itself");
	int go[2];
	char c = 0;
	if (pipe(go))
		return 1;
	pid_t child = fork();
	if (child == 0) {
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		child_asks();
		acc_end(0);
	}
	struct rlimit low = {100 << 20, RLIM_INFINITY}, lower = {50 << 20, RLIM_INFINITY};
	setrlimit(RLIMIT_AS, &low);
	prlimit(child, RLIMIT_AS, &lower, NULL);
	asks();
	if (write(go[1], &c, 1) != 1 || waitpid(child, NULL, 0) != child)
		return 1;
	acc_end(0);
}
