// memory_musl: musl's malloc with groups of all sizes and large allocations, some of them freed, and threads; it waits for
// its standard input to close. What is private, of no file and of none of these lines is malloc's.
//   mine START END          a mapping of the program's own
//   stack TID START END     the stack of a thread, without its guard (pthread_getattr_np(3)); that of one was given, from
//                           the middle of a mapping of the program's own
//   ready
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_barrier_t begun;

static void *worker(void *arg)
{
	pthread_attr_t a;
	void *start;
	size_t size;
	pthread_getattr_np(pthread_self(), &a);
	pthread_attr_getstack(&a, &start, &size);
	flockfile(stdout);
	printf("stack %ld %lx %lx\n", (long)syscall(SYS_gettid), (unsigned long)start, (unsigned long)start + size);
	funlockfile(stdout);
	pthread_barrier_wait(&begun);
	pthread_barrier_wait(&begun);
	return arg;
}

int main(void)
{
	static void *kept[60000];
	char c;
	pthread_t t;
	pthread_barrier_init(&begun, 0, 4);
	for (int i = 0; i < 60000; i++)
		memset(kept[i] = malloc(1 + (i * 37) % 3000), i, 1);
	for (int i = 0; i < 60000; i += 2)
		free(kept[i]);
	for (int i = 0; i < 60; i++)
		memset(kept[2 * i] = malloc((20 << 10) + i * 12345), i, 20 << 10);
	for (int i = 0; i < 60; i += 3)
		free(kept[2 * i]);
	char *p = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(p, 1, 4096);
	printf("mine %lx %lx\n", (unsigned long)p, (unsigned long)p + (1 << 20));
	for (int i = 0; i < 2; i++)
		pthread_create(&t, 0, worker, 0);
	pthread_attr_t given;
	pthread_attr_init(&given);
	p = mmap(0, 3 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(p, 1, 3 << 20);
	pthread_attr_setstack(&given, p + (1 << 20), 1 << 20);
	pthread_create(&t, &given, worker, 0);
	printf("mine %lx %lx\nmine %lx %lx\n", (long)p, (long)p + (1 << 20), (long)p + (2 << 20), (long)p + (3 << 20));
	pthread_barrier_wait(&begun);
	printf("ready\n");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
