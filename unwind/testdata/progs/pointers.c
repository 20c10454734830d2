/* Three functions and main, for builds without .eh_frame. It writes the return addresses it knows of, innermost
 * first, in hex to descriptor 3 before it makes the mark. */
#include <stdio.h>
#include "mark.h"
static void *seen[4];
__attribute__((noinline)) int three(int n) {
	seen[0] = __builtin_return_address(0);
	for (int i = 0; i < 3; i++) dprintf(3, "%lx\n", (long)seen[i]);
	mark();
	KEEP;
	return n;
}
__attribute__((noinline)) int two(int n) { seen[1] = __builtin_return_address(0); n = three(n) + 1; KEEP; return n; }
__attribute__((noinline)) int one(int n) { seen[2] = __builtin_return_address(0); n = two(n) + 1; KEEP; return n; }
int main(int argc, char **argv) { return one(argc) == 0; }
