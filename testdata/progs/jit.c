// jit: makes code in memory, tells /tmp/perf-PID.map what it is, and calls it. A fork child makes other code
// at the same address, under the name of its own pid. With an argument it is killed at the end.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned char *code;
static unsigned long length;

__attribute__((noinline)) static void map_from_jit(void)
{
	if (mmap(NULL, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		exit(99);
	__asm__ volatile("");
}

// push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret
static const unsigned char stub[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};

// compile puts a function into a slot, a second one behind it, and tells of both.
static void compile(int slot, const char *name)
{
	char path[64];
	snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
	static pid_t begun;
	FILE *map = fopen(path, begun == getpid() ? "a" : "w"); // another process may have left one
	begun = getpid();
	if (!map)
		exit(99);
	memcpy(code + slot * 64, stub, sizeof stub);
	fprintf(map, "%lx %x %s\n", (unsigned long)(code + slot * 64), (int)sizeof stub, name);
	fprintf(map, "%lx %x beside\n", (unsigned long)(code + slot * 64) + sizeof stub, 8);
	fclose(map);
}

static void call(int slot, unsigned long len)
{
	length = len;
	((void (*)(void (*)(void)))(code + slot * 64))(map_from_jit);
	__asm__ volatile("");
}

static void done(int killed)
{
	// The names must not depend on the file staying behind.
	if (killed)
		kill(getpid(), SIGKILL);
}

int main(int argc, char **argv)
{
	(void)argv;
	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code == MAP_FAILED)
		return 99;
	compile(0, "of the parent");
	compile(2, "before");
	compile(2, "after"); // nobody can tell any more which of the two ran
	call(0, 0x7a1000);
	call(2, 0x7a2000);
	pid_t child = fork();
	if (child == 0) {
		compile(0, "of the child");
		call(0, 0x7a3000);
		done(argc > 1);
		_exit(0);
	}
	int status;
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 99;
	call(0, 0x7a4000);
	done(argc > 1);
	return 0;
}
