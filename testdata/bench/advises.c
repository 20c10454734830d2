// advises N PAGES: N times PAGES pages are written to and given back by madvise(MADV_DONTNEED). See took.h.
#define _GNU_SOURCE
#include "took.h"
#include <sys/mman.h>

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
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || madvise(p, pages * PAGE, MADV_NOHUGEPAGE) != 0)
		return 1;
	took_begin();
	for (long n = atol(argv[1]); n > 0; n--)
		if (gives_back(p, pages) != 0)
			return 1;
	return took_end();
}
