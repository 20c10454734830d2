// dies SIGNAL [THREADS]: reports, then dies of SIGNAL (a number), with THREADS mapping at that moment.
#define _GNU_SOURCE
#include "account.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static int busy;

NOINLINE static void map_and_die(void) { MAP_ANON_RW(3 * PAGE); }

NOINLINE static void *mapping_thread(void *arg)
{
	__atomic_add_fetch(&busy, 1, __ATOMIC_RELEASE);
	for (;;) {
		void *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p != MAP_FAILED)
			munmap(p, 3 * PAGE);
	}
	return arg;
}

int main(int argc, char **argv)
{
	int sig = argc > 1 ? atoi(argv[1]) : SIGTERM, threads = argc > 2 ? atoi(argv[2]) : 0;
	struct rlimit no_core = {0, 0};
	sigset_t set;
	pthread_t t;
	acc_begin("dies");
	setrlimit(RLIMIT_CORE, &no_core);
	map_and_die();
	if (threads)
		acc_write_table(&acc_live);
	else
		acc_report();
	for (int i = 0; i < threads; i++)
		if (pthread_create(&t, NULL, mapping_thread, NULL) != 0)
			return 1;
	while (__atomic_load_n(&busy, __ATOMIC_ACQUIRE) < threads)
		usleep(1000);
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), sig);
	for (;;) // another thread may be the one that takes it
		pause();
}
