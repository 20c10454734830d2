// A cache that grows until it is refused memory, and gives up.
#include <stdlib.h>
#include <string.h>

static char *cache_grow(size_t n)
{
	char *p = malloc(n);

	if (!p)
		abort();
	memset(p, 1, 4096);
	return p;
}

int main(void)
{
	for (;;)
		cache_grow(4 << 20)[0] = 2;
}
