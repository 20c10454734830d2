// dev_zero: private mappings of /dev/zero are anonymous memory with a file's name, shared ones a file of their own.
#define _GNU_SOURCE
#include "account.h"
#include <fcntl.h>

NOINLINE static char *zero_private(int fd) { return MMAP(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0); }
NOINLINE static char *zero_shared(int fd) { return MMAP(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); }
NOINLINE static void zero_protect(char *p) { MPROTECT(p + PAGE, PAGE, PROT_READ); }

int main(void)
{
	acc_begin("dev_zero");
	int fd = open("/dev/zero", O_RDWR);
	zero_protect(zero_private(fd));
	zero_protect(zero_shared(fd));
	acc_end(0);
}
