// fork_many [N]: N children one after another, each with a mapping of its own, from a parent of many ranges.
#define _GNU_SOURCE
#include "account.h"
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

NOINLINE static void many_ranges(void)
{
	for (int i = 0; i < 200; i++)
		MMAP(NULL, PAGE, i % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

NOINLINE static void child_range(void) { MAP_ANON_RW(PAGE); }

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 20, status;
	acc_begin("fork_many");
	many_ranges();
	for (int i = 0; i < n; i++) {
		pid_t child = fork();
		if (child == 0) {
			child_range();
			acc_end(0);
		}
		if (waitpid(child, &status, 0) != child || status != 0)
			return 1;
	}
	acc_end(0);
}
