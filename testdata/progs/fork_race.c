// fork_race [N]: N children are forked while other threads map and unmap. Each is a copy of one moment: what it
// holds, and who made it, is what the parent held when it was made.
#define _GNU_SOURCE
#include "account.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, KEPT = 8 };
static int busy, stop, done;

NOINLINE static void *mapping_thread(void *arg)
{
	char *kept[KEPT] = {0};
	__atomic_add_fetch(&busy, 1, __ATOMIC_RELEASE);
	for (unsigned long i = (unsigned long)arg; !__atomic_load_n(&stop, __ATOMIC_ACQUIRE); i++) {
		char **k = &kept[i * 7 % KEPT];
		if (*k)
			munmap(*k, (1 + i * 7 % KEPT) * PAGE);
		*k = mmap(NULL, (1 + i * 7 % KEPT) * PAGE, i % 3 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (*k == MAP_FAILED)
			acc_fail("mmap");
	}
	__atomic_add_fetch(&done, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &done, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
	for (;;)
		pause(); // for ever: the stack stays mapped
	return arg;
}

NOINLINE static void before_forks(void) { MAP_ANON_RW(5 * PAGE); }
NOINLINE static void in_child(void) { MAP_ANON_RW(3 * PAGE); }

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 20, status;
	pthread_t t;
	acc_begin("fork_race");
	before_forks();
	for (long i = 0; i < THREADS; i++)
		if (pthread_create(&t, NULL, mapping_thread, (void *)i) != 0)
			return 1;
	while (__atomic_load_n(&busy, __ATOMIC_ACQUIRE) < THREADS)
		usleep(1000);
	for (int i = 0; i < n; i++) {
		long child = syscall(SYS_fork);
		if (child == 0) {
			in_child();
			acc_end(0);
		}
		if (waitpid(child, &status, 0) != child || status != 0)
			return 1;
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (int v; (v = __atomic_load_n(&done, __ATOMIC_ACQUIRE)) < THREADS;)
		syscall(SYS_futex, &done, FUTEX_WAIT_PRIVATE, v, NULL, NULL, 0);
	acc_end(0);
}
