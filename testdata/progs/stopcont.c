// stopcont [ROUNDS]: a parent stops and continues a child that maps; stopped means stopped, each stop and each
// continuation is reported once.
#define _GNU_SOURCE
#include "account.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile long *progress;

NOINLINE static void map_until_killed(void)
{
	for (;;) {
		void *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || munmap(p, 3 * PAGE) != 0)
			_exit(1);
		++*progress;
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 20, status, ran_while_stopped = 0, stops = 0, conts = 0;
	acc_begin("stopcont");
	progress = MMAP(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();
	if (child == 0)
		map_until_killed();
	for (int i = 0; i < rounds; i++) {
		long before = *progress;
		while (*progress == before)
			usleep(1000);
		kill(child, SIGSTOP);
		if (waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
			acc_fail("no-stop");
		stops++;
		before = *progress;
		usleep(20000);
		ran_while_stopped += *progress != before;
		if (waitpid(child, &status, WNOHANG | WUNTRACED | WCONTINUED) != 0)
			acc_fail("second-report");
		kill(child, SIGCONT);
		if (waitpid(child, &status, WCONTINUED) != child || !WIFCONTINUED(status))
			acc_fail("no-continuation");
		conts++;
	}
	kill(child, SIGKILL);
	if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
		acc_fail("not-killed");
	acc_printf("stops rounds=%d stopped=%d continued=%d ran_while_stopped=%d", (long)rounds, (long)stops, (long)conts,
		   (long)ran_while_stopped);
	acc_end(ran_while_stopped != 0);
}
