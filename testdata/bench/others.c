// others N [EVERY]: N system calls that have nothing to do with mappings, and with every EVERYth of them a pair of
// mmap and munmap. Where the environment has TOOK, a file, the microseconds that they took are written there.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long every = argc > 2 ? atol(argv[2]) : 0;
	const char *took = getenv("TOOK");
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (long n = argc > 1 ? atol(argv[1]) : 1000000; n > 0; n--) {
		syscall(SYS_getppid);
		if (every && n % every == 0) {
			void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (p == MAP_FAILED || munmap(p, 8192) != 0)
				return 1;
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	if (took) {
		FILE *out = fopen(took, "w");
		if (!out)
			return 1;
		fprintf(out, "%ld\n", (b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000);
		return fclose(out) != 0;
	}
	return 0;
}
