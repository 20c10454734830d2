// memory_asan: memory_blocks with AddressSanitizer, which says where its shadow and its heap are: a block, and the shadow of it
// (sanitizer/asan_interface.h). It waits for its standard input to close.
//   block START END   a block that it has, and the shadow of one
//   mine START END    a mapping of its own
//   ready
#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const char *__asan_default_options(void) { return "detect_leaks=0"; }

int main(void)
{
	static char *kept[1000];
	char c;
	size_t scale, offset;
	__asan_get_shadow_mapping(&scale, &offset);
	for (int i = 0; i < 1000; i++) {
		memset(kept[i] = malloc(16 + i * 37 % 2000), 1, 8);
		unsigned long p = (unsigned long)kept[i], s = (p >> scale) + offset;
		printf("block %lx %lx\nblock %lx %lx\n", p, p + 16, s, s + 1);
	}
	char *mine = mmap(0, 3 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(mine, 1, 4096);
	printf("mine %lx %lx\nready\n", (unsigned long)mine, (unsigned long)mine + (3 << 20));
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
