// stack_signal: marks in handlers: on the same stack, on an alternate one, nested, after a fault in a leaf
// function. A handler returns to the trampoline (__restore_rt), which is therefore in the list; the interrupted
// pc is in the gap.
#define _GNU_SOURCE
#include "stack.h"
#include <signal.h>

static char alt[64 * 1024];

NOINLINE static void plain_handler(int sig)
{
	GAP, ENTER;
	mark(320 + (sig == SIGUSR2));
	LEAVE, LEAVE;
}

NOINLINE static void altstack_handler(int sig)
{
	(void)sig;
	GAP, ENTER;
	mark_raw(322);
	raise(SIGUSR1);
	LEAVE, LEAVE;
}

static char *guarded;

NOINLINE static void fault_handler(int sig)
{
	(void)sig;
	GAP, ENTER;
	mark(323);
	mprotect(guarded, PAGE, PROT_READ | PROT_WRITE);
	LEAVE, LEAVE;
}

NOINLINE static int leaf_that_faults(volatile char *p) // keeps no frame of its own
{
	return p[0] = 1;
}

NOINLINE static void interrupted(int depth)
{
	ENTER;
	if (depth)
		interrupted(depth - 1);
	else
		raise(SIGUSR1), raise(SIGUSR2), raise(SIGALRM), leaf_that_faults(guarded);
	LEAVE;
}

static void on(int sig, void (*f)(int), int flags)
{
	struct sigaction sa = {.sa_handler = f, .sa_flags = flags};
	sigaction(sig, &sa, NULL);
}

int main(void)
{
	stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
	acc_begin("stack_signal");
	ENTER;
	sigaltstack(&ss, NULL);
	on(SIGUSR1, plain_handler, 0);
	on(SIGUSR2, plain_handler, 0);
	on(SIGALRM, altstack_handler, SA_ONSTACK);
	on(SIGSEGV, fault_handler, SA_ONSTACK);
	guarded = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	interrupted(4);
	LEAVE;
	acc_end(0);
}
