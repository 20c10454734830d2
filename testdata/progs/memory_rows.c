// memory_rows ROWS: that many rows of maps, few pages of which are in memory, and a terabyte of which one page is; threads
// that notice when somebody stops them or brings pages in. To each line on its standard input it answers
//   eintr N resident N gap NANOSECONDS
// how often sigwaitinfo(2) was interrupted, which a stop does, by a signal or by ptrace (signal(7)), how many pages of all that are in memory
// (mincore(2)), and the longest time since the last line that the clock of a busy thread stood still.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define SPARSE (1UL << 40)

static atomic_long interrupted, gap;
static pthread_barrier_t begun; // what the threads need in memory is there before "ready"

static void *waits(void *arg)
{
	sigset_t none;
	sigemptyset(&none);
	sigaddset(&none, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &none, 0);
	pthread_barrier_wait(&begun);
	for (;;)
		if (sigwaitinfo(&none, 0) < 0)
			atomic_fetch_add(&interrupted, 1);
	return arg;
}

static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void *runs(void *arg)
{
	long last = now(), t;
	pthread_barrier_wait(&begun);
	for (;; last = t) {
		t = now();
		if (t - last > atomic_load(&gap))
			atomic_store(&gap, t - last);
	}
	return arg;
}

static unsigned char vec[1 << 20];

static long resident(char *p, size_t size)
{
	long n = 0;
	for (size_t at = 0; at < size; at += sizeof vec * 4096) {
		size_t pages = (size - at) / 4096 < sizeof vec ? (size - at) / 4096 : sizeof vec;
		mincore(p + at, pages * 4096, vec);
		for (size_t i = 0; i < pages; i++)
			n += vec[i] & 1;
	}
	return n;
}

int main(int argc, char **argv)
{
	size_t rows = argc > 1 ? strtoul(argv[1], 0, 10) : 2000;
	pthread_t t;
	char line[64];
	setvbuf(stdout, 0, _IOLBF, 1 << 12);
	char *all = mmap(0, rows * 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < rows; i++) {
		char *p = all + i * 4 * 4096;
		madvise(p, 4 * 4096, MADV_NOHUGEPAGE);
		if (i % 8 == 0)
			memset(p, (int)i, 16);
		mprotect(p, 4 * 4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE);
	}
	char *sparse = mmap(0, SPARSE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	madvise(sparse, SPARSE, MADV_NOHUGEPAGE);
	sparse[SPARSE / 2] = 1;
	pthread_barrier_init(&begun, 0, 3);
	pthread_create(&t, 0, waits, 0);
	pthread_create(&t, 0, runs, 0);
	pthread_barrier_wait(&begun);
	printf("ready\n");
	while (fgets(line, sizeof line, stdin)) {
		long g = atomic_exchange(&gap, 0);
		printf("eintr %ld resident %ld gap %ld\n", atomic_load(&interrupted),
			resident(all, rows * 4 * 4096) + resident(sparse + SPARSE / 2 - (1 << 30), 1UL << 31), g);
	}
	return 0;
}
