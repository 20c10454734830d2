// racy THREADS OPS SEED [RINGS]: threads map, unmap, protect, move and attach at random in one window that belongs to
// none of them, with calls that fail and calls that fail half-way. Nobody can say who made which page; what is
// mapped at the end the kernel says. With RINGS they make and unmake aio rings as well, which takes long.
#define _GNU_SOURCE
#include "account.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_THREADS = 64, WINDOW = 256, LONGEST = 12, FILE_PAGES = 32 };

static char *const window = (char *)0x500000000000;
static int threads, ops, rings, file_fd, shm_id, go, done;
static unsigned long seed;
static pthread_t handles[MAX_THREADS];

struct dice {
	unsigned long state;
};

static unsigned long rnd(struct dice *d, unsigned long below)
{
	d->state ^= d->state << 13, d->state ^= d->state >> 7, d->state ^= d->state << 17;
	return (d->state >> 11) % below;
}

static char *place(struct dice *d) { return window + rnd(d, WINDOW - LONGEST) * PAGE; }
static unsigned long length(struct dice *d) { return (1 + rnd(d, LONGEST)) * PAGE; }
static int access_of(struct dice *d) { return "\0\1\3\5"[rnd(d, 4)]; }

static void map(struct dice *d, int fixed)
{
	unsigned long len = length(d);
	int shared = rnd(d, 4) == 0 ? MAP_SHARED : MAP_PRIVATE;
	if (rnd(d, 3) == 0)
		mmap(place(d), len, PROT_READ, shared | fixed, file_fd, rnd(d, FILE_PAGES - LONGEST) * PAGE);
	else
		mmap(place(d), len, access_of(d), shared | fixed | MAP_ANONYMOUS, -1, 0);
}

static void remap(struct dice *d)
{
	char *from = place(d), *to = place(d);
	unsigned long old_len = length(d), new_len = length(d);
	switch (rnd(d, 4)) {
	case 0:
		mremap(from, old_len, new_len, 0);
		break;
	case 1:
		mremap(from, old_len, new_len, MREMAP_MAYMOVE | MREMAP_FIXED, to);
		break;
	case 2:
		mremap(from, old_len, old_len, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to);
		break;
	default:
		mremap(from, 0, new_len, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	}
}

static void move_break(struct dice *d)
{
	unsigned long now = syscall(SYS_brk, 0);
	syscall(SYS_brk, rnd(d, 2) ? now + length(d) : now - PAGE);
}

static char *volatile attached; // by whichever thread came last

static void attach(struct dice *d)
{
	char *p = shmat(shm_id, place(d), SHM_REMAP);
	if (p != (char *)-1)
		attached = p;
}

static void set_up_ring(void)
{
	aio_context_t ring = 0;
	if (syscall(SYS_io_setup, 1, &ring) == 0)
		syscall(SYS_io_destroy, ring);
}

static void *racer(void *arg)
{
	struct dice d = {(seed + 1) * 0x9e3779b97f4a7c15UL + (unsigned long)arg * 0xbf58476d1ce4e5b9UL};
	while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &go, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	for (int i = 0; i < ops; i++) {
		unsigned long what = rnd(&d, 100);
		if (what < 25)
			map(&d, MAP_FIXED);
		else if (what < 35)
			map(&d, MAP_FIXED_NOREPLACE);
		else if (what < 42)
			map(&d, 0); // the place is a hint
		else if (what < 62)
			munmap(place(&d), length(&d));
		else if (what < 80)
			mprotect(place(&d), length(&d), access_of(&d));
		else if (what < 88)
			remap(&d);
		else if (what < 92)
			move_break(&d);
		else if (what < 94)
			mmap(place(&d), length(&d), PROT_READ, MAP_PRIVATE | MAP_FIXED, -1, 0); // EBADF
		else if (what < 96)
			madvise(place(&d), length(&d), rnd(&d, 2) ? MADV_DONTDUMP : MADV_DODUMP);
		else if (what < 98)
			attach(&d);
		else if (what < 99)
			shmdt(rnd(&d, 2) ? attached : place(&d));
		else if (rings && rnd(&d, 10) == 0)
			set_up_ring();
	}
	__atomic_add_fetch(&done, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &done, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
	for (;;)
		pause(); // for ever: the stack stays mapped
	return NULL;
}

int main(int argc, char **argv)
{
	char name[64] = "racy.tmp.XXXXXX";
	acc_begin("racy");
	if (argc < 4 || (threads = atoi(argv[1])) < 1 || threads > MAX_THREADS)
		return 2;
	ops = atoi(argv[2]);
	seed = strtoul(argv[3], NULL, 0);
	rings = argc > 4 && atoi(argv[4]);
	file_fd = mkstemp(name);
	shm_id = shmget(IPC_PRIVATE, 4 * PAGE, 0600);
	if (file_fd < 0 || unlink(name) != 0 || ftruncate(file_fd, FILE_PAGES * PAGE) != 0 || shm_id < 0)
		return 1;
	if (shmat(shm_id, NULL, 0) == (void *)-1 || shmctl(shm_id, IPC_RMID, NULL) != 0)
		return 1;
	for (long i = 0; i < threads; i++)
		if (pthread_create(&handles[i], NULL, racer, (void *)i) != 0)
			return 1;
	__atomic_store_n(&go, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &go, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
	for (int n; (n = __atomic_load_n(&done, __ATOMIC_ACQUIRE)) < threads;)
		syscall(SYS_futex, &done, FUTEX_WAIT_PRIVATE, n, NULL, NULL, 0);
	acc_end(0);
}
