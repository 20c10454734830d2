/* A handler of SIGSEGV on an alternate stack, interrupted itself by a second signal on the same stack. */
#include <signal.h>
#include <unistd.h>
#include "mark.h"
static char stack[64 << 10];
__attribute__((noinline)) void inner(void) { mark(); KEEP; }
static void second(int sig) { inner(); KEEP; }
static void first(int sig, siginfo_t *info, void *uc) { raise(SIGUSR1); _exit(0); }
__attribute__((noinline)) int fault(volatile int *p) { int r = *p; KEEP; return r; }
int main(void) {
	stack_t s = {.ss_sp = stack, .ss_size = sizeof stack};
	struct sigaction a = {.sa_sigaction = first, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	sigaltstack(&s, 0);
	sigaction(SIGSEGV, &a, 0);
	signal(SIGUSR1, second);
	return fault((int *)8);
}
