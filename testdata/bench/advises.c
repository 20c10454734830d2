// advises N PAGES: N times PAGES pages are written to and given back by madvise(MADV_DONTNEED). Where the environment has TOOK,
// a file, the microseconds that this took are written there.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { PAGE = 4096 };

__attribute__((noinline, noclone)) static int gives_back(char *p, long pages)
{
	for (long i = 0; i < pages; i++)
		p[i * PAGE] = 1;
	return madvise(p, pages * PAGE, MADV_DONTNEED);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	long pages = atol(argv[2]);
	const char *took = getenv("TOOK");
	struct timespec a, b;
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || madvise(p, pages * PAGE, MADV_NOHUGEPAGE) != 0)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (long n = atol(argv[1]); n > 0; n--)
		if (gives_back(p, pages) != 0)
			return 1;
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
