// memfd: shared, private and offset mappings of a file without a name; SHARED|ANONYMOUS beside it.
#define _GNU_SOURCE
#include "account.h"
#include <unistd.h>

NOINLINE static char *memfd_shared(int fd) { return MMAP(NULL, 6 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE); }
NOINLINE static void memfd_private(int fd) { MMAP(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 3 * PAGE); }
NOINLINE static void memfd_hole(char *p) { MUNMAP(p + 2 * PAGE, PAGE); }
NOINLINE static void shared_anonymous(void) { MMAP(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); }

int main(void)
{
	acc_begin("memfd");
	int fd = memfd_create("a name with spaces", 0);
	if (fd < 0 || ftruncate(fd, 16 * PAGE) != 0)
		return 1;
	memfd_hole(memfd_shared(fd));
	memfd_private(fd);
	shared_anonymous();
	acc_end(0);
}
