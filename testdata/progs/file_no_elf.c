// A private, executable mapping of a file that is no ELF file (SBCL's core, images of .NET and Wine): it is a file.
#define _GNU_SOURCE
#include "truth.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	char name[] = "/tmp/imageXXXXXX";
	int fd = mkstemp(name);
	if (fd < 0 || write(fd, "MZ no elf", 9) != 9 || ftruncate(fd, 8 << 20))
		return 1;
	char *p = mmap(NULL, 8 << 20, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	is(p, 8 << 20, "file", "file: image");
	return unlink(name);
}
