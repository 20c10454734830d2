// fixed_fails: an mmap with MAP_FIXED that fails may still have unmapped what stood there.
#define _GNU_SOURCE
#include "account.h"
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

NOINLINE static char *under(void) { return MAP_ANON_RW(8 * PAGE); }

// fixed_over maps pages of fd over p; what the kernel left there is asked of the kernel.
static void fixed_over(char *p, unsigned long pages, int fd, int flags, const char *fn)
{
	unsigned long s, e;
	void *q = mmap(p, pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);
	acc_did(fn, "mmap", p, pages * PAGE, acc_ret((long)q));
	if (q != MAP_FAILED)
		acc_fail("fixed-did-not-fail");
	if (!acc_row(p, &s, &e))
		acc_cut(&acc_live, p, pages * PAGE);
}

NOINLINE static void perf_of_bad_size(char *p)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_DUMMY};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	if (fd < 0)
		acc_lacks("perf_event_open", errno);
	else
		fixed_over(p, 4, fd, MAP_SHARED, __func__); // 1 + 3 pages; 3 is no power of two
	close(fd);
}

NOINLINE static void file_that_maps_not(char *p)
{
	int fd = open("/proc/self/status", O_RDONLY);
	fixed_over(p, 3, fd, MAP_PRIVATE, __func__);
	close(fd);
}

NOINLINE static void bad_descriptor(char *p) { fixed_over(p, 2, -1, MAP_PRIVATE, __func__); }

int main(void)
{
	acc_begin("fixed_fails");
	bad_descriptor(under());
	file_that_maps_not(under());
	perf_of_bad_size(under());
	acc_end(0);
}
