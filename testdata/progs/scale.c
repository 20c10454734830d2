// scale WHAT N: a program that is large in one way, for what vmblame's memory and time grow with.
//   events N      N calls (mmap and munmap in turn) through 16,384 different stacks
//   threads N     N threads at once, each of which maps and unmaps once
//   mappings N    N mappings that stand side by side (no two alike, so the kernel merges none)
//   execs N       N children, one after the other, each of which executes /bin/true
//   processes N   N children that live at once
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))
enum { PAGE = 4096, DEPTH = 14 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

NOINLINE static void *map(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

NOINLINE static void unmap(void *p)
{
	if (munmap(p, PAGE) != 0)
		die("munmap");
}

NOINLINE static void pair(unsigned path, int depth);
// Two callers of the next level, so that each path has a stack of its own.
NOINLINE static void left(unsigned path, int depth) { pair(path, depth); __asm__ volatile(""); }
NOINLINE static void right(unsigned path, int depth) { pair(path, depth); __asm__ volatile("nop"); }
NOINLINE static void pair(unsigned path, int depth)
{
	if (depth == 0)
		unmap(map());
	else if (path & 1)
		right(path >> 1, depth - 1);
	else
		left(path >> 1, depth - 1);
	__asm__ volatile("");
}

static pthread_barrier_t all;
static void *thread(void *arg)
{
	unmap(map());
	pthread_barrier_wait(&all);
	return arg;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	long n = atol(argv[2]);
	if (!strcmp(argv[1], "events")) {
		for (long i = 0; i < n / 2; i++)
			pair(i, DEPTH);
	} else if (!strcmp(argv[1], "threads")) {
		pthread_attr_t a;
		pthread_t *t = calloc(n, sizeof *t);
		pthread_attr_init(&a);
		pthread_attr_setstacksize(&a, 64 << 10);
		pthread_barrier_init(&all, NULL, n + 1);
		for (long i = 0; i < n; i++)
			if ((errno = pthread_create(&t[i], &a, thread, NULL)) != 0)
				die("pthread_create");
		pthread_barrier_wait(&all);
		for (long i = 0; i < n; i++)
			pthread_join(t[i], NULL);
	} else if (!strcmp(argv[1], "mappings")) {
		for (long i = 0; i < n; i++)
			if (mmap(NULL, PAGE, i & 1 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
				die("mmap");
	} else if (!strcmp(argv[1], "execs") || !strcmp(argv[1], "processes")) {
		int gate[2], live = argv[1][0] == 'p', status;
		char c;
		if (pipe(gate) != 0)
			die("pipe");
		for (long i = 0; i < n; i++) {
			pid_t p = fork();
			if (p < 0)
				die("fork");
			if (p == 0 && !live)
				execl("/bin/true", "true", NULL), _exit(1);
			if (p == 0) {
				close(gate[1]);
				_exit(read(gate[0], &c, 1) != 0); // until the parent closes it
			}
			if (!live && (waitpid(p, &status, 0) != p || status != 0))
				die("child");
		}
		close(gate[1]);
		while (live && n-- > 0)
			if (wait(&status) < 0 || status != 0)
				die("child");
	} else {
		return 2;
	}
	puts("done");
	return 0;
}
