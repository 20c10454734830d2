// shadow_stack: map_shadow_stack makes a mapping that no mmap made.
#define _GNU_SOURCE
#include "account.h"
#include <sys/syscall.h>
#include <unistd.h>

enum { MAP_SHADOW_STACK = 453 };

NOINLINE static void map_shadow(void)
{
	long ret = acc_ret(syscall(MAP_SHADOW_STACK, 0, 4 * PAGE, 1));
	acc_did(__func__, "map_shadow_stack", NULL, 4 * PAGE, ret);
	if (ret < 0)
		acc_lacks("shadow-stacks", -ret);
	else
		acc_add(&acc_live, (void *)ret, 4 * PAGE, __func__, "map_shadow_stack");
}

int main(void)
{
	acc_begin("shadow_stack");
	map_shadow();
	acc_end(0);
}
