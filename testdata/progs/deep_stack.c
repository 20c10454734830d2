// deep_stack [FRAMES]: maps memory below so many calls of eval (5000), as interpreters do whose programs call themselves.
#include <stdlib.h>
#include <sys/mman.h>

__attribute__((noinline)) static void *at_the_bottom(void) { return mmap(NULL, 20 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

__attribute__((noinline)) static void *eval(int n)
{
	void *p = n > 1 ? eval(n - 1) : at_the_bottom();
	__asm__ volatile("" : "+r"(p));
	return p;
}

__attribute__((noinline)) static void *load_model(int n)
{
	void *p = eval(n);
	__asm__ volatile("" : "+r"(p));
	return p;
}

int main(int argc, char **argv) { return load_model(argc > 1 ? atoi(argv[1]) : 5000) == MAP_FAILED; }
