// exec_again: executes itself over and over until SIGTERM, by turns from its first thread and from another,
// while threads map; for attaching to.
#define _GNU_SOURCE
#include "account.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static char **args;

static void *maps(void *arg)
{
	for (;;) {
		void *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || munmap(p, 3 * PAGE) != 0)
			acc_fail("pairs");
	}
	return arg;
}

static void *executes(void *arg)
{
	usleep(2000);
	execl("/proc/self/exe", args[0], args[1] ? NULL : "other", NULL);
	acc_fail("execl");
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t t;
	args = argv;
	if (argc == 1)
		acc_begin("exec_again");
	for (int i = 0; i < 2; i++)
		if (pthread_create(&t, NULL, maps, NULL) != 0)
			return 1;
	if (argc == 1)
		executes(NULL);
	if (pthread_create(&t, NULL, executes, NULL) != 0)
		return 1;
	for (;;)
		pause();
}
