// nested_tracer: the program traces a child of its own. Where children are followed that is refused (EPERM).
#define _GNU_SOURCE
#include "account.h"
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

NOINLINE static void in_debuggee(void) { MAP_ANON_RW(3 * PAGE); }
NOINLINE static void in_debugger(void) { MAP_ANON_RW(4 * PAGE); }

int main(void)
{
	int status, code;
	acc_begin("nested_tracer");
	pid_t child = fork();
	if (child == 0) {
		int traced = ptrace(PTRACE_TRACEME, 0, 0, 0) == 0;
		acc_printf("traceme pid=%d allowed=%d", (long)acc_pid(), (long)traced);
		if (traced)
			raise(SIGSTOP);
		in_debuggee();
		acc_end(traced);
	}
	while (waitpid(child, &status, 0) == child && WIFSTOPPED(status))
		ptrace(PTRACE_CONT, child, 0, 0);
	code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	in_debugger();
	acc_end(code != 0 && code != 1);
}
