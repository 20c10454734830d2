// Two neighbouring reservations of 4 TiB, accessible, of which two pages are touched, as sanitizers and databases have: the kernel shows
// one row for both, and who looks through all of it takes ten seconds.
#include <sys/mman.h>

__attribute__((noinline)) static char *reserve(void) { return mmap(0, 4UL << 40, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0); }

int main(void)
{
	char *a = reserve(), *b = reserve();
	a[1UL << 30] = b[1UL << 35] = 1;
	return 0;
}
