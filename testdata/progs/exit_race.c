// exit_race [THREADS]: touches 20 MiB, and ends while its threads (8) end by themselves.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_barrier_t all;

static void *waits(void *arg)
{
	pthread_barrier_wait(&all);
	return arg;
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 8;
	char *volatile p = malloc(20 << 20);
	memset(p, 1, 20 << 20);
	pthread_barrier_init(&all, NULL, n + 1);
	for (int i = 0; i < n; i++) {
		pthread_t t;
		if (pthread_create(&t, NULL, waits, NULL))
			return 1;
	}
	pthread_barrier_wait(&all);
	exit(0);
}
