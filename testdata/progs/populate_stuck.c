// populate_stuck: a thread is stuck in a mapping call (mremap that grows locked pages a userfaultfd watches
// waits for each page). Meanwhile another maps; only then does the page come. Nobody may wait for anybody.
#define _GNU_SOURCE
#include "account.h"
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OLD = 2, NEW = 6, PAIRS = 1000 };
static int uffd;
static char *range, zero[PAGE] __attribute__((aligned(4096)));

NOINLINE static void locked_range(void)
{
	range = MAP_ANON_RW(16 * PAGE);
	MUNMAP(range + OLD * PAGE, (16 - OLD) * PAGE);
	if (mlock(range, OLD * PAGE) != 0)
		acc_fail("mlock");
	struct uffdio_register reg = {.range = {(unsigned long)range, OLD * PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
	if (ioctl(uffd, UFFDIO_REGISTER, &reg) != 0)
		acc_fail("uffd-register");
}

NOINLINE static void *stuck_in_mremap(void *arg)
{
	void *q = mremap(range, OLD * PAGE, NEW * PAGE, 0);
	acc_did(__func__, "mremap", range, OLD * PAGE, acc_ret((long)q));
	if (q == range)
		acc_add(&acc_live, range + OLD * PAGE, (NEW - OLD) * PAGE, __func__, "mremap");
	return arg;
}

NOINLINE static void pairs_meanwhile(void)
{
	for (int i = 0; i < PAIRS; i++) {
		void *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || munmap(p, 3 * PAGE) != 0)
			acc_fail("pairs");
	}
	MMAP(range - 9 * PAGE, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int main(void)
{
	pthread_t t;
	struct uffd_msg msg;
	struct uffdio_api api = {.api = UFFD_API};
	struct pollfd pfd = {.events = POLLIN};
	acc_begin("populate_stuck");
	pfd.fd = uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) != 0) {
		acc_lacks("userfaultfd", errno);
		acc_end(0);
	}
	locked_range();
	if (pthread_create(&t, NULL, stuck_in_mremap, NULL) != 0)
		return 1;
	for (int i = 0; i < NEW - OLD; i++) {
		if (poll(&pfd, 1, 10000) != 1 || read(uffd, &msg, sizeof msg) != sizeof msg)
			acc_fail("not-stuck");
		if (i == 0)
			pairs_meanwhile();
		struct uffdio_copy copy = {.dst = msg.arg.pagefault.address & -PAGE, .src = (unsigned long)zero, .len = PAGE};
		if (ioctl(uffd, UFFDIO_COPY, &copy) != 0)
			acc_fail("uffd-copy");
	}
	pthread_join(t, NULL);
	acc_end(0);
}
