// others N [EVERY]: N system calls that have nothing to do with mappings, and with every EVERYth of them a pair of
// mmap and munmap. See took.h.
#define _GNU_SOURCE
#include "took.h"
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long every = argc > 2 ? atol(argv[2]) : 0;
	took_begin();
	for (long n = argc > 1 ? atol(argv[1]) : 1000000; n > 0; n--) {
		syscall(SYS_getppid);
		if (every && n % every == 0) {
			void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (p == MAP_FAILED || munmap(p, 8192) != 0)
				return 1;
		}
	}
	return took_end();
}
