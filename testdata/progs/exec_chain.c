// exec_chain [N]: each image maps, reports, and executes the next; every exec begins a new address space.
#define _GNU_SOURCE
#include "account.h"
#include <stdlib.h>
#include <unistd.h>

NOINLINE static void in_image(int n) { MAP_ANON_RW((2 + n) * PAGE); }

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 3;
	char next[12] = {'0' + (n - 1) / 10, '0' + (n - 1) % 10};
	acc_begin("exec_chain");
	in_image(n);
	if (n == 0)
		acc_end(0);
	acc_report();
	execl("/proc/self/exe", "exec_chain", next, NULL);
	return 1;
}
