/* Frames whose CFA is not rsp plus a constant: a VLA, alloca, over-aligned locals (a DRAP expression), and one
 * of 3 MiB. */
#include <alloca.h>
#include <string.h>
#include "mark.h"
__attribute__((noinline)) void use(void *p) { __asm__ volatile("" ::"r"(p) : "memory"); }
__attribute__((noinline)) int big(int n) {
	char room[3 << 20];
	room[n] = 1;
	use(room);
	mark();
	return room[n + 1];
}
__attribute__((noinline)) int aligned(int n) {
	char __attribute__((aligned(64))) a[128];
	char *b = alloca(n * 16);
	use(a);
	use(b);
	n = big(n) + a[5];
	use(b);
	return n;
}
__attribute__((noinline)) int vla(int n) {
	int v[n];
	use(v);
	n = aligned(n) + v[1];
	use(v);
	return n;
}
int main(int argc, char **argv) { return vla(argc * 100) == 12345; }
