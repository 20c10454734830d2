// advice: threads that give pages back, or ask for them, and say what of the range was in memory before and behind each call,
// by mincore(2). One thread blocks SIGTRAP for a while.
#define _GNU_SOURCE
#include "account.h"
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define PAGES 64
#define THREADS 4

static int rounds = 20;

NOINLINE static long resident(char *p, unsigned long len)
{
	unsigned char in[2 * PAGES];
	long n = 0;
	if (mincore(p, len, in))
		return -1;
	for (unsigned long i = 0; i < len / PAGE; i++)
		n += in[i] & 1;
	return n * PAGE;
}

static void say(const char *fn, char *p, unsigned long len, int advice, long ret, long before)
{
	acc_printf("advice pid=%d tid=%d fn=%s addr=%x len=%d advice=%d error=%s before=%d left=%d", (long)acc_pid(), (long)acc_tid(), fn,
		   (unsigned long)p, len, (long)advice, ret ? acc_errname(-ret) : "", before, before < 0 ? -1 : resident(p, len));
}

#define ADVISE(p, len, advice)                                                      \
	do {                                                                        \
		long before = resident(p, len);                                     \
		say(__func__, p, len, advice, acc_ret(madvise(p, len, advice)), before); \
	} while (0)

NOINLINE static void gives_back(char *p) { ADVISE(p + 8 * PAGE, 16 * PAGE, MADV_DONTNEED); }
NOINLINE static void gives_nothing(char *p) { ADVISE(p + 8 * PAGE, 16 * PAGE, MADV_DONTNEED); }
NOINLINE static void may_go(char *p) { ADVISE(p, 4 * PAGE, MADV_FREE); }
NOINLINE static void asks(char *p) { ADVISE(p + 20 * PAGE, 8 * PAGE, 23); } // MADV_POPULATE_WRITE
NOINLINE static void is_refused(char *p) { ADVISE(p + 1, PAGE, MADV_DONTNEED); }
NOINLINE static void goes_on(char *p, unsigned long len) { ADVISE(p, len, MADV_DONTNEED); } // ENOMEM behind its end

static void *works(void *blocks)
{
	sigset_t trap, old;
	sigemptyset(&trap);
	sigaddset(&trap, SIGTRAP);
	char *p = MAP_ANON_RW(PAGES * PAGE);
	if (blocks)
		pthread_sigmask(SIG_BLOCK, &trap, &old);
	for (int i = 0; i < rounds; i++) {
		memset(p, 1, 48 * PAGE);
		gives_back(p);
		gives_nothing(p);
		asks(p);
	}
	if (blocks)
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	may_go(p);
	is_refused(p);
	madvise(p, PAGE, MADV_WILLNEED); // moves no page of the mapping
	MUNMAP(p + 32 * PAGE, PAGE);
	goes_on(p + 16 * PAGE, 32 * PAGE);
	return NULL;
}

// argv: the number of rounds
int main(int argc, char **argv)
{
	acc_begin("advice");
	if (argc > 1)
		rounds = argv[1][0] - '0';
	pthread_t t[THREADS];
	for (long i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, works, (void *)(i == 1 ? i : 0));
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	acc_end(0);
}
