// i386: a 32-bit program, without a libc so that the compiler alone suffices to build it.
#define ACC_FREESTANDING
#define ACC_MAPS_SIZE (1 << 16)
#include "account.h"

enum { NR_BRK = 45, NR_MUNMAP = 91, NR_MPROTECT = 125, NR_MMAP2 = 192 };

static long mmap2(long len, long prot, long flags)
{
	long ret;
	__asm__ volatile("push %%ebp\n\txor %%ebp, %%ebp\n\tint $0x80\n\tpop %%ebp"
			 : "=a"(ret)
			 : "a"(NR_MMAP2), "b"(0), "c"(len), "d"(prot), "S"(flags), "D"(-1)
			 : "memory");
	return ret;
}

NOINLINE static char *map_32(void)
{
	long p = mmap2(6 * PAGE, 3, 0x22);
	acc_did(__func__, "mmap2", 0, 6 * PAGE, p);
	acc_add(&acc_live, (void *)p, 6 * PAGE, __func__, "mmap2");
	return (char *)p;
}

NOINLINE static void unmap_32(char *p)
{
	acc_cut(&acc_live, p + PAGE, 2 * PAGE);
	acc_did(__func__, "munmap", p + PAGE, 2 * PAGE, acc_sys(NR_MUNMAP, (long)p + PAGE, 2 * PAGE, 0));
}

NOINLINE static void protect_32(char *p)
{
	acc_did(__func__, "mprotect", p, PAGE, acc_sys(NR_MPROTECT, (long)p, PAGE, 1));
}

NOINLINE static void brk_32(void)
{
	unsigned long now = acc_sys(NR_BRK, 0, 0, 0), want = ((now + PAGE - 1) & -PAGE) + 2 * PAGE;
	long got = acc_sys(NR_BRK, want, 0, 0);
	acc_did(__func__, "brk", (void *)want, 0, got);
	acc_add(&acc_live, (void *)(want - 2 * PAGE), 2 * PAGE, __func__, "brk");
}

__attribute__((used, noreturn)) static void start(long *sp)
{
	acc_begin_env("i386", (char **)(sp + 1 + sp[0] + 1));
	char *p = map_32();
	unmap_32(p);
	protect_32(p + 4 * PAGE);
	brk_32();
	acc_end(0);
}

__asm__(".globl _start\n_start:\n\tmov %esp, %eax\n\tand $-16, %esp\n\tsub $12, %esp\n\tpush %eax\n\tcall start\n");
