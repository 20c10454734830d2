// others N: N system calls that have nothing to do with mappings.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	for (long n = argc > 1 ? atol(argv[1]) : 1000000; n > 0; n--)
		syscall(SYS_getppid);
	return 0;
}
