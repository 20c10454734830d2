// stack_thread: marks in two threads at once; a thread's stack ends in clone3, not in main.
#define _GNU_SOURCE
#include "stack.h"
#include <pthread.h>

NOINLINE static int in_thread(int n, int pages)
{
	ENTER;
	int ret = n > 0 ? in_thread(n - 1, pages) : mark(pages) != mark_raw(pages + 1);
	LEAVE;
	return ret;
}

static void *thread(void *arg)
{
	ENTER;
	in_thread(5, (int)(long)arg);
	LEAVE;
	return NULL;
}

int main(void)
{
	pthread_t a, b;
	acc_begin("stack_thread");
	if (pthread_create(&a, NULL, thread, (void *)330L) != 0 || pthread_create(&b, NULL, thread, (void *)335L) != 0)
		return 1;
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	acc_end(0);
}
