// Maps 1 MiB for each byte that it reads from standard input, and writes to half of it; ends where that ends.
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE (1 << 20)

__attribute__((noinline)) void take_one(void) {
	char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		_exit(1);
	memset(p, 1, SIZE / 2);
}

int main(void) {
	char c;
	while (read(0, &c, 1) == 1)
		take_one();
	return 0;
}
