/* Recursion 2,000 deep. */
#include "mark.h"
__attribute__((noinline)) int deep(int n) {
	int r;
	if (n == 0) { mark(); r = 1; } else r = deep(n - 1) + n;
	KEEP;
	return r;
}
int main(void) { return deep(2000) == 0; }
