// memory_malloc: threads with malloc arenas of their own, large allocations, a thread that has ended; then it says
// what it has by the C library's own books, and waits for its standard input to close.
//   stack TID START END GUARD      pthread_getattr_np(3): START is the lowest usable byte
//   ended START END GUARD          of a thread that was joined; its stack is kept
//   large START END                a chunk with a mapping of its own: the whole mapping
//   <...                           malloc_info(3)
//   total SYSTEM FREE              of all arenas, by mallinfo2(3)
//   ready
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_barrier_t begun, end;
static pthread_mutex_t say = PTHREAD_MUTEX_INITIALIZER;

static void stack_of_mine(const char *what, int tid)
{
	pthread_attr_t a;
	void *start;
	size_t size, guard;
	pthread_getattr_np(pthread_self(), &a);
	pthread_attr_getstack(&a, &start, &size);
	pthread_attr_getguardsize(&a, &guard);
	pthread_attr_destroy(&a);
	pthread_mutex_lock(&say);
	printf("%s", what);
	if (tid)
		printf(" %d", tid);
	printf(" %lx %lx %lx\n", (unsigned long)start, (unsigned long)start + size, guard);
	pthread_mutex_unlock(&say);
}

static void *worker(void *arg)
{
	long n = (long)arg;
	void *kept[1000];
	for (int i = 0; i < 1000; i++)
		kept[i] = malloc(100 + 37 * (i % 50) * n);
	for (int i = 0; i < 1000; i += 3)
		free(kept[i]);
	stack_of_mine("stack", (int)syscall(SYS_gettid));
	pthread_barrier_wait(&begun);
	pthread_barrier_wait(&end);
	return 0;
}

static void *ends(void *arg)
{
	stack_of_mine("ended", 0);
	return arg;
}

int main(void)
{
	pthread_t t;
	char c;
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	setvbuf(stdout, 0, _IOLBF, 1 << 16);
	printf("begin\n");
	pthread_barrier_init(&begun, 0, 4);
	pthread_barrier_init(&end, 0, 4);
	for (long i = 1; i <= 3; i++)
		pthread_create(&t, 0, worker, (void *)i);
	pthread_barrier_wait(&begun);
	pthread_create(&t, 0, ends, 0);
	pthread_join(t, 0);
	for (int i = 1; i <= 4; i++) {
		char *p = malloc(i << 20);
		memset(p, 1, 4096);
		size_t *chunk = (size_t *)p - 2;
		printf("large %lx %lx\n", (unsigned long)chunk, (unsigned long)chunk + (chunk[1] & ~7UL));
	}
	malloc_info(0, stdout);
	struct mallinfo2 m = mallinfo2();
	printf("total %zx %zx\n", m.arena, m.fordblks);
	printf("ready\n");
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
