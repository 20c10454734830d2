// untraced: children by CLONE_UNTRACED, one with memory of its own and one that shares ours, map memory.
// A tracer that lets the flag stand does not see them, and its filter makes their calls fail.
#define _GNU_SOURCE
#include "account.h"
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char stack[256 * 1024] __attribute__((aligned(4096)));

NOINLINE static void own_memory(void) { MAP_ANON_RW(5 * PAGE); }
NOINLINE static void shared_memory(void) { MAP_ANON_RW(7 * PAGE); }
NOINLINE static void by_clone3(void) { MAP_ANON_RW(9 * PAGE); }

static int separate(void *arg)
{
	(void)arg;
	own_memory();
	acc_end(acc_live.n != 1);
}

static int sharing(void *arg)
{
	(void)arg;
	shared_memory();
	return 0;
}

static int ended_well(int child)
{
	int status;
	return waitpid(child, &status, __WALL) == child && status == 0;
}

int main(void)
{
	struct clone_args args = {.flags = CLONE_UNTRACED, .exit_signal = SIGCHLD};
	acc_begin("untraced");
	int good = ended_well(clone(separate, stack + sizeof stack, CLONE_UNTRACED | SIGCHLD, NULL));
	good &= ended_well(clone(sharing, stack + sizeof stack, CLONE_UNTRACED | CLONE_VM | SIGCHLD, NULL));
	long child = syscall(SYS_clone3, &args, sizeof args);
	if (child == 0) {
		by_clone3();
		acc_end(0);
	}
	good &= ended_well(child);
	acc_end(!good);
}
