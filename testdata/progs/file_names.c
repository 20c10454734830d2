// Files that bear the names of others: what a file is called says nothing of it where nobody who would have such a file is there. It maps
// them from a folder of its own, says "ready" and waits for its standard input to close.
#define _GNU_SOURCE
#include "truth.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (1 << 20)

static void map(const char *name, int prot)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char label[64];
	if (fd < 0 || ftruncate(fd, SIZE)) {
		perror(name);
		exit(1);
	}
	snprintf(label, sizeof label, "file: %s", name);
	is(mmap(NULL, SIZE, prot, MAP_PRIVATE, fd, 0), SIZE, "file", label);
	close(fd);
	unlink(name);
}

int main(void)
{
	char dir[] = "/tmp/file_names.XXXXXX";
	if (!mkdtemp(dir) || chdir(dir)) {
		perror(dir);
		return 1;
	}
	map("model.mo", PROT_READ); // Modelica's
	map("LC_CTYPE", PROT_READ);
	map("locale-archive", PROT_READ);
	map("classes.jsa", PROT_READ);
	map("data.so", PROT_READ);
	rmdir(dir);
	int fd = memfd_create("java_heap", 0);
	if (ftruncate(fd, SIZE))
		return 1;
	is(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), SIZE, "memfd", "memfd: memfd:java_heap");
	printf("ready\n");
	fflush(stdout);
	getchar();
	return 0;
}
