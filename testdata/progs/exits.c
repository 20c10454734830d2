// exits CODE: maps a little and exits with CODE.
#define _GNU_SOURCE
#include "account.h"
#include <stdlib.h>

NOINLINE static void map_and_exit(void) { MAP_ANON_RW(3 * PAGE); }

int main(int argc, char **argv)
{
	acc_begin("exits");
	map_and_exit();
	acc_end(argc > 1 ? atoi(argv[1]) : 0);
}
