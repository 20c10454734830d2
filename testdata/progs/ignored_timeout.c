// ignored_timeout: waits with a timeout, while a child sends a signal that is ignored as fast as it can, without end.
// Untraced the kernel does not even wake the waits. Under a tracer it does, and whoever makes the call begin again makes
// its whole time begin again: it would never end. None may end early either, also where an earlier call with the same
// arguments was interrupted and has returned since. With an argument it begins when SIGTERM comes.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MS = 60, SLACK = 8, ROUNDS = 12 };
static int epoll_fd, pair[2];

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static long wait_in(const char *what)
{
	struct timespec span = {0, MS * 1000000};
	struct timeval tv = {0, MS * 1000};
	struct epoll_event e;
	struct io_event io;
	sigset_t none;
	char c;
	sigemptyset(&none);
	if (!strcmp(what, "epoll_wait"))
		return epoll_wait(epoll_fd, &e, 1, MS);
	if (!strcmp(what, "epoll_pwait2"))
		return syscall(SYS_epoll_pwait2, epoll_fd, &e, 1, &span, NULL, 0);
	if (!strcmp(what, "poll"))
		return poll(NULL, 0, MS);
	if (!strcmp(what, "ppoll"))
		return ppoll(NULL, 0, &span, NULL);
	if (!strcmp(what, "select"))
		return select(0, NULL, NULL, NULL, &tv);
	if (!strcmp(what, "nanosleep"))
		return nanosleep(&span, NULL);
	if (!strcmp(what, "sigtimedwait"))
		return sigtimedwait(&none, NULL, &span);
	if (!strcmp(what, "semtimedop")) {
		int id = semget(IPC_PRIVATE, 1, 0600), error;
		struct sembuf take = {0, -1, 0};
		long r = semtimedop(id, &take, 1, &span);
		error = errno;
		semctl(id, 0, IPC_RMID);
		errno = error;
		return r;
	}
	if (!strcmp(what, "recv"))
		return recv(pair[0], &c, 1, 0);
	if (!strcmp(what, "read"))
		return read(pair[0], &c, 1);
	if (!strcmp(what, "io_getevents")) {
		static aio_context_t ctx;
		if (ctx == 0)
			syscall(SYS_io_setup, 1, &ctx);
		return syscall(SYS_io_getevents, ctx, 1, 1, &io, &span);
	}
	return -2;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *call;
		long result;
		int error;
	} waits[] = {{"epoll_wait", 0, 0}, {"epoll_pwait2", 0, 0}, {"poll", 0, 0}, {"ppoll", 0, 0}, {"select", 0, 0}, {"nanosleep", 0, 0},
		{"sigtimedwait", -1, EAGAIN}, {"semtimedop", -1, EAGAIN}, {"recv", -1, EAGAIN}, {"read", -1, EAGAIN}, {"io_getevents", 0, 0}};
	struct timeval tv = {0, MS * 1000};
	int wakes[2], bad = 0;
	struct epoll_event readable = {.events = EPOLLIN};
	pid_t parent = getpid(), child;
	signal(SIGUSR2, SIG_IGN);
	if (argc > 1) {
		sigset_t term;
		int sig;
		sigemptyset(&term);
		sigaddset(&term, SIGTERM);
		sigprocmask(SIG_BLOCK, &term, NULL);
		printf("%s is ready\n", argv[0]);
		fflush(stdout);
		sigwait(&term, &sig);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) != 0)
		return 1;
	if (pipe(wakes) != 0 || (epoll_fd = epoll_create1(0)) < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wakes[0], &readable) != 0)
		return 1;
	if ((child = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent && kill(parent, SIGUSR2) == 0)
			usleep(2000);
		_exit(0);
	}
	for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
		double t = now();
		errno = 0;
		long r = wait_in(waits[i].call);
		int error = r < 0 ? errno : 0, early = now() - t < MS - SLACK;
		if (r != waits[i].result || error != waits[i].error || early) {
			printf("%s: result %ld, %s, %s\n", waits[i].call, r, strerrorname_np(error), early ? "early" : "in time");
			bad++;
		}
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	// The same call again and again: most are ended by what they wait for, some time after they were interrupted.
	if ((child = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 1; getppid() == parent && kill(parent, SIGUSR2) == 0; i++) {
			usleep(MS * 1000 / 4);
			if (i % 3 == 0 && write(wakes[1], "", 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < ROUNDS; i++) {
		struct epoll_event e;
		char c;
		double t = now();
		int r = epoll_wait(epoll_fd, &e, 1, MS);
		if (r == 0 && now() - t < MS - SLACK) {
			printf("round %d: early\n", i);
			bad++;
		} else if (r < 0 || (r == 1 && read(wakes[0], &c, 1) != 1)) {
			printf("round %d: %s\n", i, strerrorname_np(errno));
			bad++;
		}
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	printf("bad %d\n", bad);
	return bad != 0;
}
