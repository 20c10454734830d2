// A large allocation, then a thread: its stack comes right below the allocation, and a kernel before Linux 6.7 makes one row of both. The
// stack ends where the thread's control block says, and what lies above it is malloc's. It says "ready" and waits for its standard
// input to close.
#define _GNU_SOURCE
#include "truth.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_barrier_t here;

static void *stands(void *arg)
{
	pthread_attr_t a;
	void *stack;
	size_t size;
	pthread_getattr_np(pthread_self(), &a);
	pthread_attr_getstack(&a, &stack, &size);
	is(stack, size, "thread-stack", "thread stack");
	pthread_barrier_wait(&here);
	pthread_barrier_wait(&here);
	return arg;
}

int main(void)
{
	size_t size = 64 << 20;
	char *b = malloc(size);
	memset(b, 1, 48 << 20);
	is(b - 16, size + 4096, "glibc-large", "glibc large malloc");
	pthread_t t;
	pthread_barrier_init(&here, NULL, 2);
	pthread_create(&t, NULL, stands, NULL);
	pthread_barrier_wait(&here);
	printf("ready\n");
	fflush(stdout);
	getchar();
	return 0;
}
