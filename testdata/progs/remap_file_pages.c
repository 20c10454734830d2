// remap_file_pages: a part of a shared file mapping gets another offset.
#define _GNU_SOURCE
#include "account.h"
#include <unistd.h>

NOINLINE static char *file_range(int fd) { return MMAP(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); }

NOINLINE static void other_offset(char *p)
{
	acc_did(__func__, "remap_file_pages", p + 2 * PAGE, 2 * PAGE, acc_ret(remap_file_pages(p + 2 * PAGE, 2 * PAGE, 0, 6, 0)));
	acc_add(&acc_live, p + 2 * PAGE, 2 * PAGE, __func__, "remap_file_pages");
}

int main(void)
{
	acc_begin("remap_file_pages");
	int fd = memfd_create("remapped", 0);
	if (fd < 0 || ftruncate(fd, 8 * PAGE) != 0)
		return 1;
	other_offset(file_range(fd));
	acc_end(0);
}
