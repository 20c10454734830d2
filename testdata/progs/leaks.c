// leaks: loses the only pointer to a block, which LeakSanitizer tells of at the end by status 1 (23 without
// AddressSanitizer). Under a tracer it cannot look, and ends so without telling. With an argument it first sleeps until
// SIGTERM comes.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static volatile sig_atomic_t go;
static void on(int s) { go = s; }
int main(int argc, char **argv)
{
	char *volatile block = malloc(16);
	memset(block, 1, 16);
	block = NULL;
	if (argc > 1) {
		sigset_t term, before;
		signal(SIGTERM, on);
		sigemptyset(&term);
		sigaddset(&term, SIGTERM);
		sigprocmask(SIG_BLOCK, &term, &before);
		printf("%s is ready\n", argv[0]);
		fflush(stdout);
		while (!go)
			sigsuspend(&before);
	}
	return 0;
}
