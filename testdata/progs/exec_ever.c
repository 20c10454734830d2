// exec_ever: executes itself as fast as it can until SIGTERM, by turns from its only thread and from another, and leaves a child now and
// then that waits for its end; for attaching to, which ends at the stop of an exec or of a fork, too.
#define _GNU_SOURCE
#include "account.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static char **args;
static long turn;

static void *executes(void *arg)
{
	char next[24];
	snprintf(next, sizeof next, "%ld", turn + 1);
	execl("/proc/self/exe", args[0], next, NULL);
	acc_fail("execl");
	return arg;
}

int main(int argc, char **argv)
{
	enum { CHILDREN = 8 };
	pthread_t t;
	args = argv;
	turn = argc > 1 ? atol(argv[1]) : 0;
	if (argc == 1)
		acc_begin("exec_ever");
	if (turn % 4 == 3) {
		if (turn / 4 >= CHILDREN)
			wait(NULL); // an older one: each lives through some turns
		pid_t parent = getpid();
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() != parent)
				_exit(0);
			usleep(20000);
			_exit(0);
		}
	}
	if (turn % 2 == 0)
		executes(NULL);
	if (pthread_create(&t, NULL, executes, NULL) != 0)
		return 1;
	for (;;)
		pause();
}
