// With debugging information, linked to a unit that has none (without.c).
int without_debug(int n);

__attribute__((noinline)) int with_debug(int n) { return n * 3 + without_debug(n); }

int main(int argc, char **argv) {
	(void)argv;
	return with_debug(argc) + 1;
}
