/* No libc and no tables; the function that calls the program's first one never returns, as in musl's start code.
 * It writes the return addresses it knows of, innermost first, as raw words to descriptor 3 before it makes the
 * mark. */
#include "mark.h"
static inline __attribute__((always_inline)) long call(long n, long a, long b, long c, long d, long e, long f) {
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	__asm__ volatile("syscall" : "+a"(n) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return n;
}
static void *seen[3];
__attribute__((noinline)) long run(long n) {
	char room[n + 40];
	seen[0] = __builtin_return_address(0);
	__asm__ volatile("" ::"r"(room) : "memory");
	call(1, 3, (long)seen, sizeof seen, 0, 0, 0);
	n = call(9, 0, MARK, 0, 0x4022, -1, 0) + room[3];
	if (n == 77) __builtin_trap();
	KEEP;
	return n;
}
__attribute__((noinline)) long outer(long n) {
	seen[1] = __builtin_return_address(0);
	n = run(n) + 1;
	KEEP;
	return n;
}
__attribute__((noinline, noreturn, used)) static void begin(long n) {
	char room[600];
	seen[2] = __builtin_return_address(0);
	__asm__ volatile("" ::"r"(room) : "memory");
	call(231, outer(n), 0, 0, 0, 0, 0);
	__builtin_trap();
}
__asm__(".globl _start\n.p2align 7\n_start: xor %ebp,%ebp\n and $-16,%rsp\n mov $9,%edi\n call begin\n hlt\n .skip 64, 0xcc\n");
