// memory_loader: what the dynamic loader has of its own, and what lies right beside it; it waits for its standard input
// to close.
//   map ADDRESS       a link map that the loader made at the start (dlinfo(3))
//   later ADDRESS     one that malloc has, of a library that was loaded later
//   block ADDRESS     the control block of the first thread
//   mine START END    small mappings of the program's own, which the kernel may show as one row with the loader's
//   ready
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static __thread int local = 7;

int main(void)
{
	char c;
	struct link_map *first, *m;
	int loader = 0;
	dlinfo(dlopen(0, RTLD_NOW), RTLD_DI_LINKMAP, &first);
	for (m = first; m; m = m->l_next) {
		loader |= strstr(m->l_name, "ld-linux") != 0;
		if (!strstr(m->l_name, "ld-linux") && *m->l_name != 'l') // not the kernel's linux-vdso
			printf("map %lx\n", (unsigned long)m);
	}
	void *lib = dlopen("libm.so.6", RTLD_NOW);
	if (lib && loader) {
		dlinfo(lib, RTLD_DI_LINKMAP, &m);
		printf("later %lx\n", (unsigned long)m);
	}
	printf("block %lx\n", (unsigned long)__builtin_thread_pointer());
	for (int i = 0; i < 8; i++) {
		char *p = mmap(0, 4096 << (i % 3), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(p, local, 4096);
		printf("mine %lx %lx\n", (unsigned long)p, (unsigned long)p + (4096 << (i % 3)));
	}
	printf("ready\n");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
