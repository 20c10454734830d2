// stack_dlopen: a library loaded late: marks in its constructor, while dlopen runs, and in calls to it.
#define _GNU_SOURCE
#include "stack.h"
#include "stack_lib.h"
#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

void shadow_push(const char *fn, void *ra)
{
	shadow.fn[shadow.depth] = fn;
	shadow.ra[shadow.depth++] = ra;
}
void shadow_pop(void) { shadow.depth--; }

void library_is_here(void)
{
	ENTER;
	mark(350);
	LEAVE;
}

NOINLINE static void load_and_call(const char *path)
{
	ENTER;
	void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	__typeof__(lib_call) *call = lib ? (__typeof__(lib_call) *)dlsym(lib, "lib_call") : NULL;
	if (!call)
		acc_fail("dlopen");
	call(mark, 351);
	dlclose(lib);
	LEAVE;
}

int main(void)
{
	char path[4096];
	acc_begin("stack_dlopen");
	long n = readlink("/proc/self/exe", path, sizeof path - 20);
	if (n < 0)
		return 1;
	path[n] = 0;
	strcpy(strrchr(path, '/') + 1, "libstack.so");
	ENTER;
	load_and_call(path);
	LEAVE;
	acc_end(0);
}
