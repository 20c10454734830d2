// ignored_signals: a thread sleeps in epoll_wait and gets signals that do nothing, by default or because they
// are ignored. Under a tracer the kernel wakes it for them; it must not notice.
#define _GNU_SOURCE
#include "account.h"
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { ROUNDS = 20 };
static int epoll_fd, returned;

static void *sleeper(void *arg)
{
	struct epoll_event e;
	for (;;) {
		int n = epoll_wait(epoll_fd, &e, 1, 3600 * 1000);
		if (n > 0)
			return arg;
		returned++;
		acc_printf("returned value=%d error=%s", (long)n, acc_errname(errno));
	}
}

int main(void)
{
	static const int signals[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGUSR1};
	enum { SIGNALS = sizeof signals / sizeof *signals };
	struct epoll_event e = {.events = EPOLLIN};
	pthread_t t;
	int fds[2];
	acc_begin("ignored_signals");
	signal(SIGUSR1, SIG_IGN);
	if (pipe(fds) != 0 || (epoll_fd = epoll_create1(0)) < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fds[0], &e) != 0 ||
	    pthread_create(&t, NULL, sleeper, NULL) != 0)
		return 1;
	for (int i = 0; i < ROUNDS; i++)
		for (int s = 0; s < SIGNALS; s++) {
			usleep(1000);
			pthread_kill(t, signals[s]);
		}
	if (write(fds[1], "", 1) != 1 || pthread_join(t, NULL) != 0)
		return 1;
	acc_printf("ignored sent=%d returned=%d", (long)(ROUNDS * SIGNALS), (long)returned);
	acc_end(returned != 0);
}
