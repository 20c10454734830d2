// uffd_unmap: munmap of a userfaultfd range sleeps until the monitor reads the event, and the monitor maps
// memory first: a tracer that holds the monitor's call until the munmap has ended hangs them both.
#define _GNU_SOURCE
#include "account.h"
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int uffd;

NOINLINE static char *watched_range(void)
{
	char *p = MAP_ANON_RW(8 * PAGE);
	struct uffdio_register reg = {.range = {(unsigned long)p, 8 * PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
	if (ioctl(uffd, UFFDIO_REGISTER, &reg) != 0)
		acc_fail("uffd-register");
	return p;
}

NOINLINE static void monitor_maps(void) { MAP_ANON_RW(5 * PAGE); }
NOINLINE static void monitor_unmaps(char *p) { MUNMAP(p, 2 * PAGE); }
NOINLINE static void monitor_fixed(char *p)
{
	MMAP(p, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}
NOINLINE static char *monitors_range(void) { return MAP_ANON_RW(6 * PAGE); }

static void *monitor(void *arg)
{
	struct pollfd pfd = {.fd = uffd, .events = POLLIN};
	struct uffd_msg msg;
	char *own = arg;
	while (poll(&pfd, 1, -1) != 1)
		;
	monitor_maps();
	monitor_unmaps(own);
	monitor_fixed(own + 3 * PAGE);
	if (read(uffd, &msg, sizeof msg) != sizeof msg || msg.event != UFFD_EVENT_UNMAP)
		acc_fail("uffd-event");
	return NULL;
}

NOINLINE static void unmap_watched(char *p) { MUNMAP(p + PAGE, 4 * PAGE); }

int main(void)
{
	pthread_t t;
	struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_EVENT_UNMAP};
	acc_begin("uffd_unmap");
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) != 0) {
		acc_lacks("userfaultfd", errno);
		acc_end(0);
	}
	char *p = watched_range();
	if (pthread_create(&t, NULL, monitor, monitors_range()) != 0)
		return 1;
	unmap_watched(p);
	pthread_join(t, NULL);
	acc_end(0);
}
