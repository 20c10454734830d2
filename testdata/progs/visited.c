// visited THREADS: so many threads wait in calls that Linux ends with EINTR, or restarts, when a tracer interrupts them.
// Beside them two threads map memory and look at it, one of them is sent signals, by a queue and by a timer, and one
// reads others from a signalfd. At SIGTERM it says what went wrong: calls that ended with EINTR, or before their time, or
// otherwise, and signals that were lost, came twice or out of order. All are 0 when nobody disturbs it.
#define _GNU_SOURCE
#include "account.h"
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long wait_ns; // how long a call waits
static int never[2], ticks[2], sockets[2], epoll_fd, sem_id, signal_fd, futex_word;
static sem_t semaphore;
static long calls, eintr, early, wrong, begun, over;
static long queued, queue_got, fd_sent, fd_got, timer_got, disorder;
static pthread_t signalled;
static int signalled_tid;

#define ADD(counter, n) __atomic_add_fetch(&(counter), n, __ATOMIC_SEQ_CST)
#define GET(counter) __atomic_load_n(&(counter), __ATOMIC_SEQ_CST)

static long long now(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static struct timespec spec(long long ns) { return (struct timespec){ns / 1000000000, ns % 1000000000}; }
static void pause_for(long ns)
{
	struct timespec t = spec(ns);
	nanosleep(&t, NULL);
}

// Each returns 0 where the call ended as it does when its time has passed.
static int in_nanosleep(void)
{
	struct timespec t = spec(wait_ns);
	return nanosleep(&t, NULL);
}
static int in_clock_nanosleep(void)
{
	struct timespec t = spec(now(CLOCK_MONOTONIC) + wait_ns);
	return errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}
static int in_poll(void)
{
	struct pollfd p = {.fd = never[0], .events = POLLIN};
	return poll(&p, 1, wait_ns / 1000000);
}
static int in_epoll_wait(void)
{
	struct epoll_event e;
	return epoll_wait(epoll_fd, &e, 1, wait_ns / 1000000);
}
static int in_select(void)
{
	struct timeval tv = {wait_ns / 1000000000, wait_ns / 1000 % 1000000};
	return select(0, NULL, NULL, NULL, &tv);
}
static int in_futex(void)
{
	struct timespec t = spec(wait_ns);
	return syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, &t, NULL, 0) == -1 && errno == ETIMEDOUT ? 0 : -1;
}
static int in_sem_timedwait(void)
{
	struct timespec t = spec(now(CLOCK_REALTIME) + wait_ns);
	return sem_timedwait(&semaphore, &t) == -1 && errno == ETIMEDOUT ? 0 : -1;
}
static int in_semtimedop(void)
{
	struct sembuf op = {0, -1, 0};
	struct timespec t = spec(wait_ns);
	return semtimedop(sem_id, &op, 1, &t) == -1 && errno == EAGAIN ? 0 : -1;
}
static int in_sigtimedwait(void)
{
	sigset_t set;
	struct timespec t = spec(wait_ns);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return sigtimedwait(&set, NULL, &t) == -1 && errno == EAGAIN ? 0 : -1;
}
static int in_recv(void) // SO_RCVTIMEO
{
	char c;
	return recv(sockets[0], &c, 1, 0) == -1 && errno == EAGAIN ? 0 : -1;
}
static int in_read(void) // of what another thread writes from time to time
{
	char c;
	return read(ticks[0], &c, 1) == 1 ? 0 : -1;
}

static const struct kind {
	const char *call;
	int (*wait)(void);
	int timed;
} kinds[] = {
	{"nanosleep", in_nanosleep, 1},	      {"clock_nanosleep", in_clock_nanosleep, 1}, {"poll", in_poll, 1},
	{"epoll_wait", in_epoll_wait, 1},     {"select", in_select, 1},			  {"futex", in_futex, 1},
	{"sem_timedwait", in_sem_timedwait, 0}, {"semtimedop", in_semtimedop, 1},		  {"sigtimedwait", in_sigtimedwait, 1},
	{"recv", in_recv, 1},		      {"read", in_read, 0},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void *waiter(void *arg)
{
	const struct kind *k = arg;
	ADD(begun, 1);
	while (!GET(over)) {
		long long start = now(CLOCK_MONOTONIC);
		errno = 0;
		int ret = k->wait(), error = errno;
		long long took = now(CLOCK_MONOTONIC) - start;
		if (GET(over))
			break;
		ADD(calls, 1);
		if (ret != 0) {
			ADD(*(error == EINTR ? &eintr : &wrong), 1);
			acc_printf("returned call=%s value=%d error=%s", k->call, (long)ret, acc_errname(error));
		} else if (k->timed && took < wait_ns - 1000000) { // select, poll and SO_RCVTIMEO count in ticks of a clock
			ADD(early, 1);
			acc_printf("early call=%s ns=%d", k->call, (long)took);
		}
	}
	return NULL;
}

static void map_round(int i)
{
	size_t len = PAGE * (1 + i % 7);
	char *p = mmap(0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		acc_fail("mmap");
	memset(p, i, len);
	if (mprotect(p, PAGE, PROT_READ) != 0 || p[0] != (char)i || p[len - 1] != (char)i || munmap(p, len) != 0)
		acc_fail("memory");
}

static void on_queued(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	if (info->si_value.sival_int != (int)GET(queue_got))
		ADD(disorder, 1);
	ADD(queue_got, 1);
}
static void on_timer(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	ADD(timer_got, 1 + info->si_overrun);
}

static void *mapper(void *arg)
{
	if (arg) { // the one that is sent signals
		sigset_t set;
		sigemptyset(&set);
		sigaddset(&set, SIGRTMIN);
		sigaddset(&set, SIGRTMIN + 1);
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
		__atomic_store_n(&signalled_tid, acc_tid(), __ATOMIC_SEQ_CST);
	}
	ADD(begun, 1);
	for (int i = 0; GET(over) < 2; i++) {
		map_round(i);
		pause_for(1000000); // which a handler may end
	}
	return NULL;
}

static void *ticker(void *arg)
{
	ADD(begun, 1);
	while (!GET(over)) {
		if (write(ticks[1], "", 1) != 1)
			acc_fail("write");
		pause_for(2000000);
	}
	return arg;
}

static void *sender(void *arg)
{
	ADD(begun, 1);
	for (union sigval v = {0}; !GET(over); v.sival_int++) {
		while (pthread_sigqueue(signalled, SIGRTMIN, v) != 0) // EAGAIN: the queue is full
			pause_for(100000);
		ADD(queued, 1);
		while (sigqueue(getpid(), SIGRTMIN + 2, v) != 0)
			pause_for(100000);
		ADD(fd_sent, 1);
		pause_for(1000000);
	}
	return arg;
}

static void *fd_reader(void *arg)
{
	struct signalfd_siginfo s;
	ADD(begun, 1);
	for (;;) {
		long n = read(signal_fd, &s, sizeof s);
		if (n != sizeof s) {
			ADD(*(n < 0 && errno == EINTR ? &eintr : &wrong), 1);
			continue;
		}
		if (s.ssi_int != (int)GET(fd_got))
			ADD(disorder, 1);
		ADD(fd_got, 1);
	}
	return arg;
}

static void start(void *(*f)(void *), const void *arg, pthread_t *t)
{
	pthread_attr_t small;
	pthread_t unused;
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	if (pthread_create(t ? t : &unused, &small, f, (void *)arg) != 0)
		acc_fail("pthread_create");
}

static long missing(long a, long b) { return a > b ? a - b : b - a; }

int main(int argc, char **argv)
{
	long threads = argc > 1 ? atol(argv[1]) : 16;
	enum { OTHERS = 5 };
	const long interval = 5000000;
	sigset_t all, term, fd;
	struct epoll_event e = {.events = EPOLLIN};
	struct sigaction queue_action = {.sa_sigaction = on_queued, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct sigaction timer_action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART};
	acc_begin("visited");
	wait_ns = (5 + threads / 2) * 1000000L;
	struct timeval tv = {0, wait_ns / 1000};
	sigfillset(&all);
	sigdelset(&all, SIGTRAP); // as most programs leave it
	sigprocmask(SIG_BLOCK, &all, NULL);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigemptyset(&fd);
	sigaddset(&fd, SIGRTMIN + 2);
	sigaction(SIGRTMIN, &queue_action, NULL);
	sigaction(SIGRTMIN + 1, &timer_action, NULL);
	if (pipe(never) != 0 || pipe(ticks) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0 ||
	    setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv) != 0 || (epoll_fd = epoll_create1(0)) < 0 ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, never[0], &e) != 0 || (sem_id = semget(IPC_PRIVATE, 1, 0600)) < 0 ||
	    sem_init(&semaphore, 0, 0) != 0 || (signal_fd = signalfd(-1, &fd, 0)) < 0)
		return 1;
	start(mapper, "", &signalled);
	start(mapper, NULL, NULL);
	start(ticker, NULL, NULL);
	start(fd_reader, NULL, NULL);
	start(sender, NULL, NULL);
	for (long i = 0; i < threads; i++)
		start(waiter, &kinds[i % KINDS], NULL);
	while (GET(begun) < threads + OTHERS)
		pause_for(1000000);

	timer_t timer;
	struct sigevent notify = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 1};
	notify._sigev_un._tid = signalled_tid;
	long long zero = now(CLOCK_MONOTONIC);
	struct itimerspec every = {.it_interval = spec(interval), .it_value = spec(zero + interval)};
	if (timer_create(CLOCK_MONOTONIC, &notify, &timer) != 0 || timer_settime(timer, TIMER_ABSTIME, &every, NULL) != 0)
		return 1;
	acc_printf("ready pid=%d threads=%d", (long)acc_pid(), threads);
	int sig;
	sigwait(&term, &sig);

	__atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
	// What is under way comes yet. A signal of the timer that is lost would be missing for ever.
	long late = 0, lost = 1;
	for (int i = 0; i < 3000 && lost != 0; i++) {
		pause_for(1000000);
		long least = (now(CLOCK_MONOTONIC) - zero) / interval, got = GET(timer_got);
		long most = (now(CLOCK_MONOTONIC) - zero) / interval;
		late = got < least ? least - got : got > most ? got - most : 0;
		lost = late + missing(GET(queued), GET(queue_got)) + missing(GET(fd_sent), GET(fd_got));
	}
	__atomic_store_n(&over, 2, __ATOMIC_SEQ_CST);
	if (lost)
		acc_printf("lost timer=%d queue=%d,%d signalfd=%d,%d", late, GET(queued), GET(queue_got), GET(fd_sent), GET(fd_got));
	acc_printf("visited calls=%d eintr=%d early=%d wrong=%d signals=%d lost=%d disorder=%d", GET(calls), GET(eintr), GET(early),
		   GET(wrong), GET(queued) + GET(fd_sent) + GET(timer_got), lost, GET(disorder));
	semctl(sem_id, 0, IPC_RMID);
	_exit(0);
}
