// aio: io_setup maps a ring without mmap, io_destroy unmaps its place without munmap, whatever stands there.
#define _GNU_SOURCE
#include "account.h"
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>

NOINLINE static aio_context_t ring_made(unsigned events)
{
	unsigned long s, e;
	aio_context_t ctx = 0;
	long ret = syscall(SYS_io_setup, events, &ctx);
	acc_did(__func__, "io_setup", (void *)ctx, events, acc_ret(ret));
	if (ret == 0 && acc_row((void *)ctx, &s, &e) && s == ctx)
		acc_add(&acc_live, (void *)s, e - s, __func__, "io_setup");
	return ctx;
}

NOINLINE static void ring_gone(aio_context_t ctx)
{
	for (int i = 0; i < acc_live.n; i++)
		if (acc_live.r[i].start == ctx)
			acc_cut(&acc_live, (void *)ctx, acc_live.r[i].end - ctx);
	acc_did(__func__, "io_destroy", (void *)ctx, 0, acc_ret(syscall(SYS_io_destroy, ctx)));
}

NOINLINE static void ring_refused(void) { acc_did(__func__, "io_setup", NULL, 0, acc_ret(syscall(SYS_io_setup, 0, NULL))); }

NOINLINE static void unrelated(void) { MMAP(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

// ring_covered puts other memory where the ring stands: io_destroy unmaps that.
NOINLINE static void ring_covered(aio_context_t ctx)
{
	MMAP((void *)ctx, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

int main(void)
{
	unsigned long start, end;
	acc_begin("aio");
	aio_context_t first = ring_made(64);
	unrelated(); // keeps the rings' rows apart
	ring_made(2000);
	ring_gone(first);
	ring_refused();
	unrelated();
	aio_context_t covered = ring_made(64);
	acc_row((void *)covered, &start, &end);
	ring_covered(covered);
	acc_cut(&acc_live, (void *)covered, end - start);
	ring_gone(covered);
	acc_end(0);
}
