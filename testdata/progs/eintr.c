// eintr SECONDS: a thread sleeps in each of the calls that Linux ends with EINTR, or restarts, when a tracer
// interrupts it. Whatever comes back in that time is written down; nothing should. SIGTERM ends it early.
#define _GNU_SOURCE
#include "account.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct timespec hour = {3600, 0};
static int never[2], sockets[2], epoll_fd, sem_id, msg_id, futex_word, begun;
static aio_context_t aio;

static long in_epoll_wait(void)
{
	struct epoll_event e;
	return epoll_wait(epoll_fd, &e, 1, 3600 * 1000);
}
static long in_epoll_pwait2(void)
{
	struct epoll_event e;
	return syscall(SYS_epoll_pwait2, epoll_fd, &e, 1, &hour, NULL, 0);
}
static long in_read(void)
{
	char c;
	return read(never[0], &c, 1);
}
static long in_nanosleep(void) { return nanosleep(&hour, NULL); }
static long in_clock_nanosleep(void) { return -clock_nanosleep(CLOCK_REALTIME, 0, &hour, NULL); }
static long in_futex(void) { return syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0); }
static long in_futex_timed(void) { return syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, &hour, NULL, 0); }
static long in_poll(void)
{
	struct pollfd p = {.fd = never[0], .events = POLLIN};
	return poll(&p, 1, 3600 * 1000);
}
static long in_select(void)
{
	struct timeval tv = {3600, 0};
	fd_set set;
	FD_ZERO(&set);
	FD_SET(never[0], &set);
	return select(never[0] + 1, &set, NULL, NULL, &tv);
}
static long in_semtimedop(void)
{
	struct sembuf op = {0, -1, 0};
	return semtimedop(sem_id, &op, 1, &hour);
}
static long in_sigtimedwait(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return sigtimedwait(&set, NULL, &hour);
}
static long in_recv(void)
{
	char c;
	return recv(sockets[0], &c, 1, 0);
}
static long in_msgrcv(void)
{
	struct { long type; char text[8]; } m;
	return msgrcv(msg_id, &m, sizeof m.text, 0, 0);
}
static long in_io_getevents(void)
{
	struct io_event e;
	struct timespec t = hour;
	return syscall(SYS_io_getevents, aio, 1L, 1L, &e, &t);
}
static long in_pause(void) { return pause(); }
static long in_wait4(void) { return waitpid(-1, NULL, 0); }

static const struct sleeper {
	const char *call;
	long (*sleep)(void);
} sleepers[] = {
	{"epoll_wait", in_epoll_wait},	 {"epoll_pwait2", in_epoll_pwait2}, {"read", in_read},
	{"nanosleep", in_nanosleep},	 {"clock_nanosleep", in_clock_nanosleep}, {"futex", in_futex},
	{"futex_timed", in_futex_timed}, {"poll", in_poll},		    {"select", in_select},
	{"semtimedop", in_semtimedop},	 {"sigtimedwait", in_sigtimedwait}, {"recv", in_recv},
	{"msgrcv", in_msgrcv},		 {"io_getevents", in_io_getevents}, {"pause", in_pause},
	{"wait4", in_wait4},
};
enum { SLEEPERS = sizeof sleepers / sizeof *sleepers };

static int returned, over;

static void *sleeper(void *arg)
{
	const struct sleeper *s = arg;
	for (;;) {
		__atomic_add_fetch(&begun, 1, __ATOMIC_RELEASE);
		errno = 0;
		long ret = s->sleep();
		if (__atomic_load_n(&over, __ATOMIC_ACQUIRE))
			return NULL;
		__atomic_add_fetch(&returned, 1, __ATOMIC_RELAXED);
		acc_printf("returned call=%s value=%d error=%s", s->call, ret, errno ? acc_errname(errno) : "none");
		if (errno && errno != EINTR)
			return NULL;
	}
}

int main(int argc, char **argv)
{
	pthread_t t;
	sigset_t term;
	struct timespec ms = {0, 50000000}, now;
	struct timeval tv = {3600, 0};
	struct epoll_event e = {.events = EPOLLIN};
	acc_begin("eintr");
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigaddset(&term, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &term, NULL);
	sigdelset(&term, SIGUSR2);
	if (pipe(never) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0 ||
	    setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) != 0 ||
	    (epoll_fd = epoll_create1(0)) < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, never[0], &e) != 0 ||
	    (sem_id = semget(IPC_PRIVATE, 1, 0600)) < 0 || (msg_id = msgget(IPC_PRIVATE, 0600)) < 0)
		return 1;
	syscall(SYS_io_setup, 8, &aio);
	pid_t child = fork(); // for wait4
	if (child == 0) {
		close(never[1]); // the parent's end alone keeps it asleep
		return in_read() != 0;
	}
	for (int i = 0; i < SLEEPERS; i++)
		if (pthread_create(&t, NULL, sleeper, (void *)&sleepers[i]) != 0)
			return 1;
	while (__atomic_load_n(&begun, __ATOMIC_ACQUIRE) < SLEEPERS)
		nanosleep(&ms, NULL);
	nanosleep(&ms, NULL);
	clock_gettime(CLOCK_MONOTONIC, &now);
	long until = now.tv_sec + (argc > 1 ? atol(argv[1]) : 1);
	acc_printf("ready pid=%d sleepers=%d", (long)acc_pid(), (long)SLEEPERS);
	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		struct timespec left = {until - now.tv_sec, 0};
		if (left.tv_sec <= 0 || sigtimedwait(&term, NULL, &left) == SIGTERM || errno == EAGAIN)
			break;
		__atomic_add_fetch(&returned, 1, __ATOMIC_RELAXED);
		acc_printf("returned call=sigtimedwait value=-1 error=%s", acc_errname(errno));
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	acc_printf("eintr returned=%d", (long)returned);
	semctl(sem_id, 0, IPC_RMID);
	msgctl(msg_id, IPC_RMID, NULL);
	_exit(returned != 0);
}
