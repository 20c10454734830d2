// deleted_file: a mapped file is unlinked, and its rows are renamed in place; another is renamed while mapped.
#define _GNU_SOURCE
#include "account.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

NOINLINE static char *map_before_unlink(int fd) { return MMAP(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0); }
NOINLINE static void map_after_unlink(int fd) { MMAP(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, PAGE); }
NOINLINE static void split_after_unlink(char *p) { MUNMAP(p + PAGE, PAGE); }

int main(void)
{
	char name[] = "deleted_file.XXXXXX", other[] = "renamed_file.XXXXXX", to[64];
	acc_begin("deleted_file");
	int fd = mkstemp(name), fd2 = mkstemp(other);
	if (fd < 0 || fd2 < 0 || ftruncate(fd, 4 * PAGE) != 0 || ftruncate(fd2, 4 * PAGE) != 0)
		return 1;
	snprintf(to, sizeof to, "%s.new", other);
	char *p = map_before_unlink(fd);
	map_before_unlink(fd2);
	if (unlink(name) != 0 || rename(other, to) != 0)
		return 1;
	map_after_unlink(fd);
	split_after_unlink(p);
	acc_write_table(&acc_live);
	acc_write_maps();
	acc_printf("end pid=%d", (long)acc_pid());
	unlink(to);
	_exit(0);
}
