/* Three functions and main, for builds without .eh_frame. It writes the return addresses it knows of, innermost
 * first, as raw words to descriptor 3 before it makes the mark. */
#include <unistd.h>
#include "mark.h"
static void *seen[3];
__attribute__((noinline)) int three(int n) {
	seen[0] = __builtin_return_address(0);
	if (write(3, seen, sizeof seen) < 0) KEEP;
	mark();
	KEEP;
	return n;
}
__attribute__((noinline)) int two(int n) { seen[1] = __builtin_return_address(0); n = three(n) + 1; KEEP; return n; }
__attribute__((noinline)) int one(int n) { seen[2] = __builtin_return_address(0); n = two(n) + 1; KEEP; return n; }
int main(int argc, char **argv) { return one(argc) == 0; }
