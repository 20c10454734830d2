// One function under many names, and an IFUNC.
__attribute__((noinline)) int __long_local(int n) { __asm__ volatile("" : "+r"(n)); return n * 2; }
extern int run(int) __attribute__((alias("__long_local")));
extern int walk_slowly(int) __attribute__((alias("__long_local")));
extern int go(int) __attribute__((weak, alias("__long_local")));
static int me(int) __attribute__((alias("__long_local"), used));

__attribute__((noinline)) static int quick(int n) { __asm__ volatile("" : "+r"(n)); return n + 1; }
static int (*choose(void))(int) { return quick; }
int picked(int) __attribute__((ifunc("choose")));

int main(int argc, char **argv) {
	(void)argv;
	return run(argc) + picked(argc);
}
