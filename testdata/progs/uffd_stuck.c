// uffd_stuck: a thread waits in munmap for the reader of a userfaultfd, who reads when SIGTERM comes; another
// waits in a page fault, which a page of zeroes then ends. For attaching to.
#define _GNU_SOURCE
#include "account.h"
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int uffd;
static char *range;

static void *unmaps(void *arg)
{
	if (munmap(range, 4 * PAGE) != 0)
		acc_fail("munmap");
	return arg;
}

static void *touches(void *arg)
{
	if (*(volatile char *)(range + 6 * PAGE) != 0)
		acc_fail("page");
	return arg;
}

int main(void)
{
	pthread_t t, u;
	sigset_t term;
	int sig, unmapped = 0, faulted = 0;
	struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_EVENT_UNMAP};
	struct uffd_msg msg;
	acc_begin("uffd_stuck");
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) != 0) {
		acc_lacks("userfaultfd", errno);
		return 0;
	}
	range = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register reg = {.range = {(unsigned long)range, 8 * PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
	struct pollfd pfd = {.fd = uffd, .events = POLLIN};
	if (ioctl(uffd, UFFDIO_REGISTER, &reg) != 0 || pthread_create(&t, NULL, touches, NULL) != 0)
		return 1;
	if (poll(&pfd, 1, -1) != 1 || read(uffd, &msg, sizeof msg) != sizeof msg || msg.event != UFFD_EVENT_PAGEFAULT)
		acc_fail("no-fault");
	if (pthread_create(&u, NULL, unmaps, NULL) != 0 || poll(&pfd, 1, -1) != 1)
		return 1;
	acc_printf("ready pid=%d", (long)acc_pid());
	sigwait(&term, &sig);
	while (!unmapped || !faulted) {
		if (!faulted) {
			struct uffdio_zeropage zero = {.range = {(unsigned long)range + 6 * PAGE, PAGE}};
			faulted = ioctl(uffd, UFFDIO_ZEROPAGE, &zero) == 0 || errno == EEXIST;
		}
		// A tracer may have made the page fault come again.
		if (poll(&pfd, 1, 10) == 1 && read(uffd, &msg, sizeof msg) == sizeof msg)
			unmapped |= msg.event == UFFD_EVENT_UNMAP;
	}
	pthread_join(t, NULL);
	pthread_join(u, NULL);
	return 0;
}
