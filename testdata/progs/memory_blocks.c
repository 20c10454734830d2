// memory_blocks: blocks of whatever malloc it has; it waits for its standard input to close.
//   block START END   a block that it has
//   mine START END    a mapping of its own
//   ready
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void *kept[100000];

static void say(const char *what, void *p, size_t size)
{
	printf("%s %lx %lx\n", what, (unsigned long)p, (unsigned long)p + size);
}

int main(void)
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
	char *mine = mmap(0, 3 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(mine, 1, 4096);
	say("mine", mine, 3 << 20);
	printf("ready\n");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
