// A mapping with MAP_GROWSDOWN that grows by itself, page by page: what grew is whoever mapped it, not the main stack.
#include "truth.h"
#include <sys/mman.h>

__attribute__((noinline)) static char *stack_new(char *at, size_t n)
{
	return mmap(at, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
}

int main(void)
{
	const size_t room = 64 << 20, n = 1 << 20, page = 4096, grown = 400 * page;
	char *r = mmap(0, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	munmap(r, room);
	char *p = stack_new(r + room - 2 * n, n);
	for (size_t i = page; i <= grown; i += page)
		*(volatile char *)(p - i) = 1;
	is(p - grown, grown + n, "direct", "anonymous memory by stack_new");
	is(__builtin_frame_address(0), 64, "main-stack", "main stack");
	return 0;
}
