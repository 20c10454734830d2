// signals N|until-term [PAUSE_US]: N queued real-time signals, or any number until SIGTERM comes, to a thread
// that maps and unmaps; each must come exactly once and in order. PAUSE_US between two gives time to attach
// and detach.
#define _GNU_SOURCE
#include "account.h"
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int expected, wrong, total, sent, told, over, pause_us;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	if (info->si_value.sival_int != expected)
		__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&expected, info->si_value.sival_int + 1, __ATOMIC_RELEASE);
}

static void end(int sig)
{
	(void)sig;
	__atomic_store_n(&told, 1, __ATOMIC_RELAXED);
}

NOINLINE static void *map_under_signals(void *arg)
{
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE) || __atomic_load_n(&expected, __ATOMIC_ACQUIRE) < sent) {
		void *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || munmap(p, 3 * PAGE) != 0)
			acc_fail("pairs");
		if (pause_us)
			usleep(pause_us);
	}
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t t;
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
	acc_begin("signals");
	total = argc < 2 ? 500 : !strcmp(argv[1], "until-term") ? INT_MAX : atoi(argv[1]);
	pause_us = argc > 2 ? atoi(argv[2]) : 0;
	sigaction(SIGRTMIN, &sa, NULL);
	signal(SIGTERM, end);
	if (pthread_create(&t, NULL, map_under_signals, NULL) != 0)
		return 1;
	for (; sent < total && !__atomic_load_n(&told, __ATOMIC_RELAXED); sent++) {
		union sigval v = {.sival_int = sent};
		while (pthread_sigqueue(t, SIGRTMIN, v) != 0) // EAGAIN: the queue is full
			usleep(100);
		if (pause_us)
			usleep(pause_us);
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE); // after the last value of sent
	pthread_join(t, NULL);
	acc_printf("signals sent=%d got=%d wrong=%d", (long)sent, (long)expected, (long)wrong);
	acc_end(wrong != 0 || expected != sent);
}
