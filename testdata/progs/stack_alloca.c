// stack_alloca: frames whose size is known only at run time: alloca, a VLA, and an over-aligned local.
#define _GNU_SOURCE
#include "stack.h"
#include <alloca.h>
#include <stdint.h>

static volatile uintptr_t sink;

NOINLINE static int over_aligned(int n)
{
	_Alignas(256) volatile char buf[256];
	ENTER;
	buf[n & 255] = 1;
	volatile char *p = alloca(n + 10);
	p[0] = 1;
	sink = (uintptr_t)buf | (uintptr_t)p;
	mark(311);
	mark_raw(312);
	LEAVE;
	return buf[n & 255];
}

NOINLINE static int with_vla(int n)
{
	volatile char vla[n];
	ENTER;
	vla[n - 1] = 1;
	int ret = over_aligned(n / 2) + vla[n - 1];
	mark(313);
	LEAVE;
	return ret;
}

NOINLINE static int with_alloca(int n)
{
	ENTER;
	volatile char *p = alloca(n * 3);
	p[0] = 1;
	int ret = with_vla(n) + p[0];
	LEAVE;
	return ret;
}

int main(int argc, char **argv)
{
	(void)argv;
	acc_begin("stack_alloca");
	ENTER;
	with_alloca(1000 + argc);
	LEAVE;
	acc_end(0);
}
