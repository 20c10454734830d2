// stack_tail: calls that the compiler made jumps have no frame, and none may be invented for them.
#define _GNU_SOURCE
#include "stack.h"

NOINLINE static void *last(unsigned long n)
{
	ENTER;
	void *p = mark(n);
	p = (char *)p + (mark_raw(n + 1) == p);
	LEAVE;
	return p;
}

NOINLINE static void *jumps_again(unsigned long n) { return last(n + 20); }
NOINLINE static void *jumps(unsigned long n) { return jumps_again(n + 1); }

NOINLINE static int calls(int n)
{
	ENTER;
	int ret = jumps(300) != MAP_FAILED;
	LEAVE;
	return ret + n;
}

int main(int argc, char **argv)
{
	(void)argv;
	acc_begin("stack_tail");
	ENTER;
	calls(argc);
	LEAVE;
	acc_end(0);
}
