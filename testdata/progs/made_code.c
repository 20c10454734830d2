// Calls map_one through code that it makes at run time (a JIT's trampoline), which keeps a frame pointer or, with an argument, none: nobody
// can walk further then.
#include <string.h>
#include <sys/mman.h>

__attribute__((noinline)) static void map_one(void) { memset(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 4096); }

int main(int argc, char **argv)
{
	(void)argv;
	// push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret
	static const unsigned char framed[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
	// push %rbp; xor %ebp,%ebp; sub $0x100,%rsp; call *%rdi; add $0x100,%rsp; pop %rbp; ret
	static const unsigned char bare[] = {0x55, 0x31, 0xed, 0x48, 0x81, 0xec, 0, 1, 0, 0, 0xff, 0xd7, 0x48, 0x81, 0xc4, 0, 1, 0, 0, 0x5d, 0xc3};
	char *jit = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(jit, framed, sizeof framed);
	if (argc > 1)
		memcpy(jit, bare, sizeof bare);
	for (int i = 0; i < 21; i++)
		((void (*)(void (*)(void)))jit)(map_one);
	return 0;
}
