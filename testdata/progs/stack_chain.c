// stack_chain [DEPTH]: a chain of different functions, then DEPTH frames of recursion, then marks. Built with
// frame pointers, without, with .debug_frame alone, with nothing but frame pointers, and static.
#define _GNU_SOURCE
#include "stack.h"
#include <stdlib.h>

NOINLINE static int recurse(int n)
{
	ENTER;
	int ret = n > 0 ? recurse(n - 1) : (mark(301), mark_raw(302), 0);
	LEAVE;
	return ret + 1;
}

NOINLINE static int many_arguments(int a, int b, int c, int d, int e, int f, int g, int n)
{
	ENTER;
	volatile int keep = a + b + c + d + e + f + g;
	int ret = recurse(n) + keep;
	mark(303);
	LEAVE;
	return ret;
}

NOINLINE static int big_frame(int n)
{
	volatile char room[20000];
	ENTER;
	room[n] = 1;
	int ret = many_arguments(1, 2, 3, 4, 5, 6, 7, n) + room[n];
	LEAVE;
	return ret;
}

static int (*volatile through_pointer)(int) = big_frame;

int main(int argc, char **argv)
{
	acc_begin("stack_chain");
	ENTER;
	through_pointer(argc > 1 ? atoi(argv[1]) : 10);
	mark(304);
	LEAVE;
	acc_end(0);
}
