// closes_all: closes every descriptor, 0 to 2 and the account's among them, and goes on mapping: what it will
// do at an address of its own choice is written down before.
#define _GNU_SOURCE
#include "account.h"
#include <sys/syscall.h>
#include <unistd.h>

static void *const at = (void *)0x200000000000;

NOINLINE static void map_blind(void)
{
	if (mmap(at, 5 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != at)
		_exit(1);
	if (munmap((char *)at + PAGE, PAGE) != 0)
		_exit(1);
}

int main(void)
{
	acc_begin("closes_all");
	acc_add(&acc_live, at, PAGE, "map_blind", "mmap");
	acc_add(&acc_live, (char *)at + 2 * PAGE, 3 * PAGE, "map_blind", "mmap");
	acc_write_table(&acc_live);
	acc_printf("end pid=%d", (long)acc_pid());
	if (syscall(SYS_close_range, 0, ~0U, 0) != 0)
		for (int fd = 0; fd < 1024; fd++)
			close(fd);
	map_blind();
	_exit(0);
}
