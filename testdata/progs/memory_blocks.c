// memory_blocks [N]: blocks of whatever malloc it has, N of them of a gigabyte; it waits for its standard input to close.
//   block START END   a block that it has
//   mine START END    a mapping of its own
//   system N          bytes that its malloc has of the kernel, where that is tcmalloc, which says so
//   ready
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int MallocExtension_GetNumericProperty(const char *, size_t *) __attribute__((weak)); // gperftools

static void *kept[100000];

static void say(const char *what, void *p, size_t size)
{
	printf("%s %lx %lx\n", what, (unsigned long)p, (unsigned long)p + size);
}

int main(int argc, char **argv)
{
	char c;
	for (int i = 0; i < 100000; i++)
		memset(kept[i] = malloc(16 + i * 37 % 2000), 1, 8);
	for (int i = 0; i < 100000; i += 2)
		free(kept[i]);
	for (int i = 1; i < 100000; i += 998)
		say("block", kept[i], 16 + i * 37 % 2000);
	for (int i = 1; i <= 20; i++) {
		char *p = malloc((size_t)i << 17);
		memset(p, 1, 4096);
		say("block", p, (size_t)i << 17);
	}
	char *huge = malloc(40 << 20);
	memset(huge, 1, 4096);
	say("block", huge, 40 << 20);
	for (int i = argc > 1 ? atoi(argv[1]) : 0; i > 0; i--) {
		char *p = malloc(1 << 30);
		memset(p, 1, 4096);
		say("block", p, 1 << 30);
	}
	char *mine = mmap(0, 3 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(mine, 1, 4096);
	say("mine", mine, 3 << 20);
	size_t n;
	if (MallocExtension_GetNumericProperty && MallocExtension_GetNumericProperty("generic.heap_size", &n))
		printf("system %zu\n", n);
	printf("ready\n");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
