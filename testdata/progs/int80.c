// int80: 32-bit system calls from 64-bit code: a filter that knows the 64-bit numbers alone misses them.
#define _GNU_SOURCE
#include "account.h"

enum { I386_MMAP = 90, I386_MUNMAP = 91, I386_MPROTECT = 125, I386_MREMAP = 163, I386_MMAP2 = 192 };

// int80 makes a 32-bit call; its sixth argument travels in ebp.
static __attribute__((always_inline)) inline long int80(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;
	__asm__ volatile("xchg %%rbp, %[f]\n\tint $0x80\n\txchg %%rbp, %[f]"
			 : "=a"(ret), [f] "+&r"(f)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)ret < 0 && (int)ret > -4096 ? (int)ret : (long)(unsigned)ret;
}

NOINLINE static char *mmap2_by_int80(void)
{
	long p = int80(I386_MMAP2, 0, 6 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == -ENOSYS) {
		acc_lacks("ia32", ENOSYS);
		acc_end(0);
	}
	acc_did(__func__, "mmap2", NULL, 6 * PAGE, p);
	acc_add(&acc_live, (void *)p, 6 * PAGE, __func__, "mmap2");
	return (char *)p;
}

NOINLINE static char *old_mmap_by_int80(char *scratch) // the arguments stand in memory, below 4 GiB
{
	unsigned *args = (unsigned *)scratch;
	args[0] = 0, args[1] = 3 * PAGE, args[2] = PROT_READ, args[3] = MAP_PRIVATE | MAP_ANONYMOUS, args[4] = -1, args[5] = 0;
	long p = int80(I386_MMAP, (long)args, 0, 0, 0, 0, 0);
	acc_did(__func__, "mmap", NULL, 3 * PAGE, p);
	acc_add(&acc_live, (void *)p, 3 * PAGE, __func__, "mmap");
	return (char *)p;
}

NOINLINE static void munmap_by_int80(char *p)
{
	acc_cut(&acc_live, p, 2 * PAGE);
	acc_did(__func__, "munmap", p, 2 * PAGE, int80(I386_MUNMAP, (long)p, 2 * PAGE, 0, 0, 0, 0));
}

NOINLINE static void mprotect_by_int80(char *p)
{
	acc_did(__func__, "mprotect", p, PAGE, int80(I386_MPROTECT, (long)p, PAGE, PROT_READ, 0, 0, 0));
}

NOINLINE static void mremap_by_int80(char *p)
{
	long q = int80(I386_MREMAP, (long)p, PAGE, 9 * PAGE, MREMAP_MAYMOVE, 0, 0);
	unsigned long kept = q == (long)p ? PAGE : 0; // in place it makes only what it adds
	acc_did(__func__, "mremap", p, PAGE, q);
	if (!kept)
		acc_cut(&acc_live, p, PAGE);
	acc_add(&acc_live, (char *)q + kept, 9 * PAGE - kept, __func__, "mremap");
}

NOINLINE static void munmap_fails_by_int80(char *p)
{
	acc_did(__func__, "munmap", p + 1, PAGE, int80(I386_MUNMAP, (long)p + 1, PAGE, 0, 0, 0, 0));
}

int main(void)
{
	acc_begin("int80");
	char *p = mmap2_by_int80(), *q = old_mmap_by_int80(p);
	munmap_by_int80(p + PAGE);
	mprotect_by_int80(p + 4 * PAGE);
	mremap_by_int80(q + 2 * PAGE);
	munmap_fails_by_int80(q);
	acc_end(0);
}
