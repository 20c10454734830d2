// Two threads split and join 400 pages of mappings, all the time: a row of maps and smaps grows downwards while they are read.
// Every 1,000 calls their number is written into the file "done".
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { page = 4096, pages = 400 };
static char *base;
static atomic_long calls;

static void *work(void *arg) {
	unsigned seed = (long)arg;
	for (;;) {
		seed = seed * 1103515245 + 12345;
		unsigned first = (seed >> 8) % (pages - 8), n = 1 + (seed >> 20) % 8;
		char *at = base + first * page;
		switch (seed >> 28 & 3) {
		case 0: mprotect(at, n * page, PROT_READ); break;
		case 1: mprotect(at, n * page, PROT_READ | PROT_WRITE); break;
		case 2: munmap(at, n * page); break;
		default: mmap(at, n * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0);
		}
		long k = atomic_fetch_add(&calls, 1) + 1;
		if (k % 1000) continue;
		char text[32];
		int fd = open("done", O_WRONLY | O_CREAT, 0600), len = snprintf(text, sizeof text, "%ld", k / 1000);
		if (fd < 0 || write(fd, text, len) != len) _exit(3);
		close(fd);
	}
	return NULL;
}

int main(void) {
	base = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t t;
	if (base == MAP_FAILED || pthread_create(&t, NULL, work, (void *)1)) return 2;
	work((void *)2);
}
