// held RESERVED RESIDENT: how long a program is kept from running. It reserves so many MiB in two neighbouring mappings, touches so many
// of them in small pages, and then does nothing but look at the clock, touch a page anew, and every few milliseconds map and unmap one,
// until its standard input closes. The longest time between two looks is how long it stood still.
//   ready
//   gap NS   the longest time between two looks
//   bye NS   the clock at its end
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static char *reserve(size_t size)
{
	char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		perror("held: mmap");
		exit(1);
	}
	madvise(p, size, MADV_NOHUGEPAGE);
	return p;
}

int main(int argc, char **argv)
{
	size_t reserved = (size_t)(argc > 1 ? atol(argv[1]) : 64) << 20, resident = (size_t)(argc > 2 ? atol(argv[2]) : 16) << 20;
	char *half[] = {reserve(reserved / 2), reserve(reserved / 2)}, *page = reserve(4096);
	// Spread over all of it in pieces of 2 MiB, so that no page table is left out that such a program would have.
	size_t pieces = resident / 2 / (2 << 20), step = pieces ? reserved / 2 / pieces & ~4095UL : 0;
	for (int h = 0; h < 2; h++)
		for (size_t i = 0; i < pieces; i++)
			for (size_t at = 0; at < 2 << 20; at += 4096)
				half[h][i * step + at] = 1;
	printf("ready\n");
	fflush(stdout);
	struct pollfd in = {.fd = 0, .events = POLLIN};
	long gap = 0, mapped = now(), last = mapped;
	while (poll(&in, 1, 0) == 0) {
		page[0] = 1;
		madvise(page, 4096, MADV_DONTNEED);
		long t = now();
		if (t - mapped > 5000000) {
			munmap(mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
			mapped = t;
		}
		if (t - last > gap)
			gap = t - last;
		last = t;
	}
	printf("gap %ld\nbye %ld\n", gap, now());
	fflush(stdout);
	_exit(0);
}
