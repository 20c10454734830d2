// handler_maps: signal handlers that map memory: on the thread's stack, on an alternate stack that was itself
// mapped, nested, and one that unmaps what the interrupted code holds.
#define _GNU_SOURCE
#include "account.h"
#include <signal.h>
#include <string.h>
#include <unistd.h>

static char *held;

NOINLINE static void plain_handler(int sig) { (void)sig; MAP_ANON_RW(3 * PAGE); }
NOINLINE static void altstack_handler(int sig) { (void)sig; MAP_ANON_RW(4 * PAGE); }
NOINLINE static void outer_handler(int sig)
{
	(void)sig;
	MAP_ANON_RW(5 * PAGE);
	raise(SIGUSR1); // not blocked: nested
	MAP_ANON_RW(6 * PAGE);
}
NOINLINE static void unmapping_handler(int sig) { (void)sig; MUNMAP(held, PAGE); }
NOINLINE static void fault_handler(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	MPROTECT((void *)((unsigned long)info->si_addr & -PAGE), PAGE, PROT_READ | PROT_WRITE);
}

NOINLINE static void *map_altstack(void) { return MAP_ANON_RW(16 * PAGE); }
NOINLINE static char *map_protected(void) { return MMAP(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

static void on(int sig, void (*f)(int), int flags)
{
	struct sigaction sa = {.sa_handler = f, .sa_flags = flags};
	sigaction(sig, &sa, NULL);
}

int main(void)
{
	struct sigaction fault = {.sa_sigaction = fault_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	acc_begin("handler_maps");
	stack_t alt = {.ss_sp = map_altstack(), .ss_size = 16 * PAGE};
	sigaltstack(&alt, NULL);
	on(SIGUSR1, plain_handler, SA_NODEFER);
	on(SIGUSR2, altstack_handler, SA_ONSTACK);
	on(SIGALRM, outer_handler, SA_NODEFER);
	on(SIGTERM, unmapping_handler, 0);
	sigaction(SIGSEGV, &fault, NULL);
	held = map_protected();
	*(volatile char *)(held + PAGE) = 1; // faults once, and is restarted
	raise(SIGUSR1);
	raise(SIGUSR2);
	raise(SIGALRM);
	raise(SIGTERM);
	acc_end(0);
}
