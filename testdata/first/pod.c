// A server in a pod whose virtual size frightens: one large reservation of which little is open, a file, threads that use
// malloc and more that do not. It says "ready" and ends when its input does.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { THREADS = 40, MALLOC = 14 };

static pthread_barrier_t ready;
static void *volatile block[MALLOC];

static void *work(void *arg)
{
	if ((long)arg < MALLOC)
		block[(long)arg] = memset(malloc(4096), 1, 4096);
	pthread_barrier_wait(&ready);
	pause();
	return NULL;
}

int main(void)
{
	char name[] = "/tmp/index.XXXXXX";
	int fd = mkstemp(name);
	char *heap = mmap(NULL, 16UL << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (fd < 0 || unlink(name) != 0 || ftruncate(fd, 2L << 30) != 0 || heap == MAP_FAILED)
		return 99;
	if (mmap(NULL, 2UL << 30, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED || mprotect(heap, 64 << 20, PROT_READ | PROT_WRITE) != 0)
		return 99;
	memset(heap, 1, 1 << 20);
	pthread_barrier_init(&ready, NULL, THREADS + 1);
	for (long i = 0; i < THREADS; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, work, (void *)i) != 0)
			return 99;
	}
	pthread_barrier_wait(&ready);
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
