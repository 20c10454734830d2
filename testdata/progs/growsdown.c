// growsdown: MAP_GROWSDOWN mappings grow by page faults, with no call; unmapping what was mapped leaves the growth.
#define _GNU_SOURCE
#include "account.h"

enum { ROOM = 1024, MAPPED = 4, GROWN = 8 };

// grown says that the pages below p came by growth of the mapping that fn made.
static void grown(char *p, const char *fn)
{
	for (int i = 1; i <= GROWN; i++)
		*(volatile char *)(p - i * PAGE) = 1;
	acc_printf("grown pid=%d start=%x end=%x beside=%s", (long)acc_pid(), (unsigned long)(p - GROWN * PAGE),
		   (unsigned long)p, fn);
}

static char *room(void) // MAP_GROWSDOWN wants 1 MiB of nothing below
{
	char *p = mmap(NULL, ROOM * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(p, ROOM * PAGE);
	return p + (ROOM - MAPPED) * PAGE;
}

NOINLINE static char *map_growing(void)
{
	return MMAP(room(), MAPPED * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
}

NOINLINE static char *map_growing_leak(void)
{
	return MMAP(room(), MAPPED * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
}

NOINLINE static void unmap_what_was_mapped(char *p) { MUNMAP(p, MAPPED * PAGE); }

NOINLINE static void guard(char *p) // the second mapping's room lies below, clear of the first
{
	MMAP(p - ROOM / 2 * PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

int main(void)
{
	acc_begin("growsdown");
	char *a = map_growing();
	guard(a);
	grown(a, "map_growing");
	char *b = map_growing_leak();
	grown(b, "map_growing_leak");
	unmap_what_was_mapped(b);
	acc_end(0);
}
