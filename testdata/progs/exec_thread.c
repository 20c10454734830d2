// exec_thread: a thread that is not the leader executes while others map.
#define _GNU_SOURCE
#include "account.h"
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 6 };
static int busy;

NOINLINE static void *mapping_thread(void *arg)
{
	__atomic_add_fetch(&busy, 1, __ATOMIC_RELEASE);
	for (;;) {
		void *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p != MAP_FAILED)
			munmap(p, 3 * PAGE);
	}
	return arg;
}

NOINLINE static void *exec_from_thread(void *arg)
{
	while (__atomic_load_n(&busy, __ATOMIC_ACQUIRE) < THREADS)
		usleep(1000);
	execl("/proc/self/exe", "exec_thread", "after", NULL);
	return arg;
}

NOINLINE static void after_exec(void) { MAP_ANON_RW(7 * PAGE); }

int main(int argc, char **argv)
{
	pthread_t t;
	acc_begin("exec_thread");
	if (argc > 1 && !strcmp(argv[1], "after")) {
		after_exec();
		acc_end(0);
	}
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&t, NULL, mapping_thread, NULL) != 0)
			return 1;
	if (pthread_create(&t, NULL, exec_from_thread, NULL) != 0)
		return 1;
	pthread_join(t, NULL);
	return 1;
}
