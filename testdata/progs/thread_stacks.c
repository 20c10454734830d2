// Threads on stacks of the C library's, one of which has ended, and two threads in memory that the program mapped for
// their stacks. Also built static and stripped.
// Right: the first are thread stacks; the pool is not one stack.
#define _GNU_SOURCE
#include "truth.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_barrier_t here;

static void *waits(void *told)
{
	pthread_attr_t a;
	void *p;
	size_t n;
	if (told && !pthread_getattr_np(pthread_self(), &a) && !pthread_attr_getstack(&a, &p, &n))
		is(p, n, "thread-stack", "thread stack of thread");
	pthread_barrier_wait(&here);
	for (;;)
		pause();
	return 0;
}

static void *ends(void *a)
{
	return a;
}

int main(void)
{
	pthread_t t[5], gone;
	pthread_barrier_init(&here, 0, 6);
	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], 0, waits, t);
	if (pthread_create(&gone, 0, ends, 0) || pthread_join(gone, 0))
		return 1;
	char *pool = mmap(0, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 3; i < 5; i++) {
		pthread_attr_t a;
		pthread_attr_init(&a);
		pthread_attr_setstack(&a, pool + (i - 3) * (1 << 20), 1 << 20);
		if (pthread_create(&t[i], &a, waits, 0))
			return 1;
	}
	printf("not %#lx %#lx thread-stack\n", (unsigned long)pool, (unsigned long)pool + (4 << 20));
	fflush(stdout);
	pthread_barrier_wait(&here);
	_exit(0);
}
