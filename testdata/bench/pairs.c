// pairs N DEPTH [MAPPINGS [THREADS]]: N pairs of mmap and munmap at the bottom of DEPTH frames of recursion, divided
// among THREADS threads (1), beside MAPPINGS mappings that stand there (0). With glibc the stack of each call of the
// main thread has DEPTH + 6 frames: mmap, pairs, DEPTH times recurse, main, and three of the start-up.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

static long count;
static int frames;

__attribute__((noinline, noclone)) static int pairs(long n)
{
	for (long i = 0; i < n; i++) {
		void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || munmap(p, 8192) != 0)
			return 1;
	}
	return 0;
}

__attribute__((noinline, noclone)) static int recurse(long n, int depth)
{
	volatile int keep = depth;
	return (depth > 1 ? recurse(n, depth - 1) : pairs(n)) + keep - depth;
}

static void *thread(void *unused)
{
	return recurse(count, frames) ? &count : unused;
}

// stand makes n mappings of one page, every other one writable so that they do not become one.
static int stand(long n)
{
	if (n == 0)
		return 0;
	char *all = mmap(NULL, n * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		return 1;
	for (long i = 1; i < n; i += 2)
		if (mprotect(all + i * PAGE, PAGE, PROT_READ | PROT_WRITE) != 0)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	enum { MOST = 256 };
	pthread_t id[MOST];
	void *failed;
	if (argc < 3)
		return 2;
	int threads = argc > 4 ? atoi(argv[4]) : 1, status = 0;
	count = atol(argv[1]) / threads;
	frames = atoi(argv[2]);
	if (stand(argc > 3 ? atol(argv[3]) : 0))
		return 1;
	if (threads == 1)
		return recurse(count, frames);
	if (threads > MOST)
		return 2;
	for (int i = 0; i < threads; i++)
		if (pthread_create(&id[i], NULL, thread, NULL) != 0)
			return 1;
	for (int i = 0; i < threads; i++)
		if (pthread_join(id[i], &failed) != 0 || failed)
			status = 1;
	return status;
}
