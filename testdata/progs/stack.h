// stack.h: a program keeps a list of its own return addresses and writes it down at a marked mmap.
//
// ENTER at the beginning of every function of the chain, LEAVE at its end; a function whose last call is
// turned into a jump does neither. GAP, before ENTER, where frames that keep no list were called in between
// (libc, the loader, a signal); it wants a LEAVE too.
#ifndef STACK_H
#define STACK_H

#include "account.h"

enum { SHADOW = 1024 };

static __thread struct {
	void *ra[SHADOW];
	const char *fn[SHADOW];
	int depth;
} shadow;

#define ENTER (shadow.ra[shadow.depth] = __builtin_return_address(0), shadow.fn[shadow.depth++] = __func__, (void)0)
#define LEAVE (shadow.depth--, (void)0)
#define GAP (shadow.ra[shadow.depth++] = 0, (void)0)

// stack_write writes the list for the mark at p, innermost first: ra is where the function `in` returns to.
// The walk has `skip` frames before the list, then the list without a break but at the gaps.
ACC_ANY void stack_write(void *p, unsigned long pages, int skip)
{
	acc_printf("mark pid=%d tid=%d start=%x len=%d skip=%d", (long)acc_pid(), (long)acc_tid(), (unsigned long)p,
		   pages * PAGE, (long)skip);
	for (int i = shadow.depth - 1; i >= 0; i--)
		if (shadow.ra[i])
			acc_printf("frame pid=%d start=%x ra=%x in=%s", (long)acc_pid(), (unsigned long)p,
				   (unsigned long)shadow.ra[i], shadow.fn[i]);
		else
			acc_printf("gap pid=%d start=%x", (long)acc_pid(), (unsigned long)p);
}

// mark maps pages by libc's mmap. Before the list come the pc in mmap and the return address in mark: skip=2.
NOINLINE ACC_ANY void *mark(unsigned long pages)
{
	ENTER;
	void *p = mmap(NULL, pages * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	acc_add(&acc_live, p, pages * PAGE, __func__, "mmap");
	stack_write(p, pages, 2);
	LEAVE;
	return p;
}

// mark_raw maps by its own system call instruction: the list begins behind the pc, skip=1.
NOINLINE ACC_ANY void *mark_raw(unsigned long pages)
{
	void *p;
	ENTER;
	register long r10 __asm__("r10") = MAP_PRIVATE | MAP_ANONYMOUS;
	register long r8 __asm__("r8") = -1;
	register long r9 __asm__("r9") = 0;
	__asm__ volatile("syscall" : "=a"(p) : "a"(9), "D"(0), "S"(pages * PAGE), "d"(PROT_READ), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	acc_add(&acc_live, p, pages * PAGE, __func__, "mmap");
	stack_write(p, pages, 1);
	LEAVE;
	return p;
}

#endif
