// x32: a call with the x32 bit in its number. Few kernels know it; none may take it for the 64-bit one.
#define _GNU_SOURCE
#include "account.h"
#include <sys/syscall.h>
#include <unistd.h>

NOINLINE static void map_by_x32(void)
{
	long ret = acc_ret(syscall(0x40000000 | SYS_mmap, NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	acc_did(__func__, "mmap", NULL, 4 * PAGE, ret);
	if (ret == -ENOSYS)
		acc_lacks("x32", ENOSYS);
	else if (ret > 0)
		acc_add(&acc_live, (void *)ret, 4 * PAGE, __func__, "mmap");
}

int main(void)
{
	acc_begin("x32");
	map_by_x32();
	acc_end(0);
}
