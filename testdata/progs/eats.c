// eats: maps and touches a mebibyte after the other until it is killed, at most 512.
#include <string.h>
#include <sys/mman.h>

int main(void)
{
	for (int i = 0; i < 512; i++) {
		char *p = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p != MAP_FAILED)
			memset(p, 1, 1 << 20);
	}
	return 1;
}
