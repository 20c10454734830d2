// stack_plt: calls bound lazily through the PLT into a library and back; the library's constructor runs before main.
#define _GNU_SOURCE
#include "stack.h"
#include "stack_lib.h"

void shadow_push(const char *fn, void *ra)
{
	shadow.fn[shadow.depth] = fn;
	shadow.ra[shadow.depth++] = ra;
}
void shadow_pop(void) { shadow.depth--; }

void library_is_here(void)
{
	acc_begin("stack_plt");
	ENTER;
	mark(342);
	LEAVE;
}

NOINLINE static void *through_plt(unsigned long n)
{
	ENTER;
	void *p = lib_call(mark, n);
	LEAVE;
	return p;
}

NOINLINE static void *twice(unsigned long n)
{
	ENTER;
	void *p = through_plt(n); // the first call is resolved on the way
	p = through_plt(n + 1) > p ? p : NULL;
	LEAVE;
	return p;
}

int main(void)
{
	ENTER;
	twice(340);
	LEAVE;
	acc_end(0);
}
