// stack_lib: a library that calls back, through its own PLT and by its constructor. It keeps the program's list.
#include "stack_lib.h"

#include <stddef.h>

__attribute__((noinline)) void *lib_inner(void *(*f)(unsigned long), unsigned long n)
{
	shadow_push(__func__, __builtin_return_address(0));
	void *p = f(n);
	shadow_pop();
	return p;
}

__attribute__((noinline)) void *lib_call(void *(*f)(unsigned long), unsigned long n)
{
	shadow_push(__func__, __builtin_return_address(0));
	void *p = lib_inner(f, n); // exported, so it goes through the PLT
	shadow_pop();
	return p;
}

__attribute__((constructor)) static void lib_constructor(void)
{
	shadow_push(NULL, NULL); // a gap: the loader's frames
	shadow_push(__func__, __builtin_return_address(0));
	library_is_here();
	shadow_pop();
	shadow_pop();
}
