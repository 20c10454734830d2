// churn COUNT|SECONDSs: threads are made and joined all the time, each maps and unmaps; for attaching to.
#define _GNU_SOURCE
#include "account.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAKERS = 3, BATCH = 4 };
static long limit, seconds, begun, made, ran;

static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

NOINLINE static void *short_lived(void *arg)
{
	void *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || munmap(p, 3 * PAGE) != 0)
		acc_fail("pairs");
	__atomic_add_fetch(&ran, 1, __ATOMIC_RELAXED);
	return arg;
}

static int over(void) { return seconds ? now() - begun >= seconds : __atomic_load_n(&made, __ATOMIC_RELAXED) >= limit; }

NOINLINE static void *maker(void *arg)
{
	pthread_t t[BATCH];
	while (!over()) {
		for (int i = 0; i < BATCH; i++)
			if (pthread_create(&t[i], NULL, short_lived, NULL) != 0)
				acc_fail("pthread_create");
		for (int i = 0; i < BATCH; i++)
			if (pthread_join(t[i], NULL) != 0)
				acc_fail("pthread_join");
		__atomic_add_fetch(&made, BATCH, __ATOMIC_RELAXED);
	}
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t t[MAKERS];
	acc_begin("churn");
	const char *arg = argc > 1 ? argv[1] : "1000";
	*(strchr(arg, 's') ? &seconds : &limit) = atol(arg);
	begun = now();
	acc_printf("ready pid=%d", (long)acc_pid());
	for (int i = 0; i < MAKERS; i++)
		if (pthread_create(&t[i], NULL, maker, NULL) != 0)
			return 1;
	for (int i = 0; i < MAKERS; i++)
		pthread_join(t[i], NULL);
	acc_printf("threads made=%d ran=%d", made, ran);
	acc_end(made != ran);
}
