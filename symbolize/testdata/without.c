// Without debugging information, linked to a unit that has it (with.c).
__attribute__((noinline)) static int hidden(int n) {
	__asm__ volatile("" : "+r"(n));
	return n - 7;
}

int without_debug(int n) { return hidden(n) * 5; }
