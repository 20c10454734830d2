// nolibc: a static program without libc: no loader, no unwind tables to start from but its own.
#define ACC_FREESTANDING
#define ACC_MAPS_SIZE (1 << 16)
#include "account.h"

enum { NR_MMAP = 9, NR_MPROTECT = 10, NR_MUNMAP = 11 };

static long mmap6(long addr, long len, long prot, long flags)
{
	long ret;
	register long r10 __asm__("r10") = flags;
	register long r8 __asm__("r8") = -1;
	register long r9 __asm__("r9") = 0;
	__asm__ volatile("syscall" : "=a"(ret) : "a"(NR_MMAP), "D"(addr), "S"(len), "d"(prot), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

NOINLINE static char *map_bare(void)
{
	long p = mmap6(0, 6 * PAGE, 3, 0x22);
	acc_did(__func__, "mmap", 0, 6 * PAGE, p);
	acc_add(&acc_live, (void *)p, 6 * PAGE, __func__, "mmap");
	return (char *)p;
}

NOINLINE static void unmap_bare(char *p)
{
	acc_cut(&acc_live, p + PAGE, 2 * PAGE);
	acc_did(__func__, "munmap", p + PAGE, 2 * PAGE, acc_sys(NR_MUNMAP, (long)p + PAGE, 2 * PAGE, 0));
}

NOINLINE static void protect_bare(char *p)
{
	acc_did(__func__, "mprotect", p, PAGE, acc_sys(NR_MPROTECT, (long)p, PAGE, 1));
}

__attribute__((used, noreturn)) static void start(long *sp)
{
	acc_begin_env("nolibc", (char **)(sp + 1 + sp[0] + 1));
	char *p = map_bare();
	unmap_bare(p);
	protect_bare(p + 4 * PAGE);
	acc_end(0);
}

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start\n");
