// storm THREADS OPS SEED [LIVE]: threads map, unmap, punch, overwrite, move and protect at random. Each
// keeps to the pages it knows to be its own, and nothing serialises them, so the kernel gives what one
// frees to the next. LIVE bounds the ranges a thread keeps (16). With 0 OPS it goes on until SIGTERM.
#define _GNU_SOURCE
#define ACC_RANGES 128
#include "account.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_THREADS = 256, FILE_PAGES = 64 };

// A piece is uniform: one kind, one protection, never more than one kernel row holds. What mremap may do
// with it depends on the kind; who made which page is the table's business.
struct piece {
	char *start;
	unsigned long pages;
	enum { PRIVATE, SHARED, TEMP, SELF } kind;
};

struct worker {
	pthread_t thread;
	unsigned long rng;
	struct acc_table made;
	struct piece live[ACC_RANGES];
	int n;
} __attribute__((aligned(4096)));

static struct worker workers[MAX_THREADS];
static int threads, ops, live_max = 16, temp_fd, self_fd, started, go, done;
static volatile sig_atomic_t terminated;

static void on_term(int sig) { terminated = sig; }

static unsigned long rnd(struct worker *w, unsigned long below)
{
	w->rng ^= w->rng << 13, w->rng ^= w->rng >> 7, w->rng ^= w->rng << 17;
	return (w->rng >> 11) % below;
}

static void made(struct worker *w, void *p, unsigned long pages, const char *fn, const char *call)
{
	acc_add(&w->made, p, pages * PAGE, fn, call);
}

static void keep(struct worker *w, void *p, unsigned long pages, int kind)
{
	if (pages)
		w->live[w->n++] = (struct piece){p, pages, kind};
}

static void fresh(struct worker *w, void *p, unsigned long pages, int kind, const char *fn)
{
	if (p == MAP_FAILED)
		return;
	made(w, p, pages, fn, "mmap");
	keep(w, p, pages, kind);
	if (kind == PRIVATE && rnd(w, 4) == 0)
		*(volatile char *)p = 1;
}

// cut leaves of piece i what stands outside [from, from+pages) and returns what was there.
static struct piece cut(struct worker *w, int i, unsigned long from, unsigned long pages)
{
	struct piece p = w->live[i];
	w->live[i] = w->live[--w->n];
	keep(w, p.start, from, p.kind);
	keep(w, p.start + (from + pages) * PAGE, p.pages - from - pages, p.kind);
	return (struct piece){p.start + from * PAGE, pages, p.kind};
}

static unsigned long size(struct worker *w) { return rnd(w, 100) ? 1 + rnd(w, 40) : 512 + rnd(w, 600); }

NOINLINE static void storm_map_private(struct worker *w, int i)
{
	unsigned long n = size(w);
	(void)i;
	fresh(w, mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), n, PRIVATE, __func__);
}

NOINLINE static void storm_map_noaccess(struct worker *w, int i)
{
	unsigned long n = size(w);
	void *p = mmap(NULL, n * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	(void)i;
	if (p == MAP_FAILED)
		return;
	made(w, p, n, __func__, "mmap");
	keep(w, p, n, PRIVATE);
}

NOINLINE static void storm_map_shared(struct worker *w, int i)
{
	unsigned long n = 1 + rnd(w, 20);
	(void)i;
	fresh(w, mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), n, SHARED, __func__);
}

NOINLINE static void storm_map_temp(struct worker *w, int i)
{
	unsigned long n = 1 + rnd(w, 20), off = rnd(w, FILE_PAGES - n);
	(void)i;
	fresh(w, mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, temp_fd, off * PAGE), n, TEMP, __func__);
}

NOINLINE static void storm_map_self(struct worker *w, int i)
{
	unsigned long n = 1 + rnd(w, 3), off = rnd(w, 2);
	(void)i;
	fresh(w, mmap(NULL, n * PAGE, PROT_READ, MAP_PRIVATE, self_fd, off * PAGE), n, SELF, __func__);
}

NOINLINE static void storm_unmap(struct worker *w, int i)
{
	struct piece p = cut(w, i, 0, w->live[i].pages);
	acc_cut(&w->made, p.start, p.pages * PAGE);
	munmap(p.start, p.pages * PAGE);
}

NOINLINE static void storm_punch(struct worker *w, int i)
{
	unsigned long from = rnd(w, w->live[i].pages), n = 1 + rnd(w, w->live[i].pages - from);
	struct piece p = cut(w, i, from, n);
	acc_cut(&w->made, p.start, n * PAGE);
	munmap(p.start, n * PAGE);
}

NOINLINE static void storm_overwrite(struct worker *w, int i)
{
	unsigned long from = rnd(w, w->live[i].pages), n = 1 + rnd(w, w->live[i].pages - from);
	char *at = w->live[i].start + from * PAGE;
	if (mmap(at, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return;
	cut(w, i, from, n);
	made(w, at, n, __func__, "mmap");
	keep(w, at, n, PRIVATE);
}

NOINLINE static void storm_protect(struct worker *w, int i)
{
	static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
	unsigned long from = rnd(w, w->live[i].pages), n = 1 + rnd(w, w->live[i].pages - from);
	char *at = w->live[i].start + from * PAGE;
	if (mprotect(at, n * PAGE, prots[rnd(w, 3)]) != 0)
		return;
	struct piece p = cut(w, i, from, n); // the origin stays, only the kernel's rows part
	keep(w, p.start, p.pages, p.kind);
}

// storm_grow grows in place where there happens to be room, and moves where there is none.
NOINLINE static void storm_grow(struct worker *w, int i)
{
	struct piece p = w->live[i];
	unsigned long n = p.pages + 1 + rnd(w, 8);
	char *q = mremap(p.start, p.pages * PAGE, n * PAGE, rnd(w, 2) ? MREMAP_MAYMOVE : 0);
	if (q == MAP_FAILED)
		return;
	if (q != p.start) {
		acc_cut(&w->made, p.start, p.pages * PAGE);
		made(w, q, n, __func__, "mremap");
	} else {
		made(w, q + p.pages * PAGE, n - p.pages, __func__, "mremap");
	}
	w->live[i] = (struct piece){q, n, p.kind};
}

NOINLINE static void storm_shrink(struct worker *w, int i)
{
	struct piece *p = &w->live[i];
	unsigned long n = 1 + rnd(w, p->pages);
	if (n == p->pages)
		return;
	acc_cut(&w->made, p->start + n * PAGE, (p->pages - n) * PAGE);
	if (mremap(p->start, p->pages * PAGE, n * PAGE, 0) == MAP_FAILED)
		acc_fail("shrink");
	p->pages = n;
}

// storm_move puts one piece over (part of) another of this thread.
NOINLINE static void storm_move(struct worker *w, int i)
{
	int j = rnd(w, w->n);
	struct piece from = w->live[i], to = w->live[j];
	if (i == j || to.pages < from.pages)
		return;
	if (mremap(from.start, from.pages * PAGE, from.pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to.start) == MAP_FAILED)
		acc_fail("move");
	acc_cut(&w->made, from.start, from.pages * PAGE);
	made(w, to.start, from.pages, __func__, "mremap");
	w->live[j] = (struct piece){to.start, from.pages, from.kind};
	keep(w, to.start + from.pages * PAGE, to.pages - from.pages, to.kind);
	w->live[i] = w->live[--w->n];
}

NOINLINE static void storm_dontunmap(struct worker *w, int i)
{
	struct piece p = w->live[i];
	if (p.kind != PRIVATE)
		return;
	char *q = mremap(p.start, p.pages * PAGE, p.pages * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	if (q == MAP_FAILED)
		return;
	made(w, q, p.pages, __func__, "mremap");
	keep(w, q, p.pages, PRIVATE);
}

NOINLINE static void storm_duplicate(struct worker *w, int i)
{
	struct piece p = w->live[i];
	if (p.kind != SHARED && p.kind != TEMP)
		return;
	char *q = mremap(p.start, 0, p.pages * PAGE, MREMAP_MAYMOVE);
	if (q == MAP_FAILED)
		return;
	made(w, q, p.pages, __func__, "mremap");
	keep(w, q, p.pages, p.kind);
}

typedef void op(struct worker *, int);
static op *const makers[] = {storm_map_private, storm_map_private, storm_map_noaccess, storm_map_shared,
			     storm_map_temp, storm_map_self};
static op *const enders[] = {storm_unmap, storm_unmap, storm_unmap, storm_punch};
static op *const changers[] = {storm_overwrite, storm_protect, storm_protect, storm_grow, storm_shrink, storm_move,
			       storm_dontunmap, storm_duplicate, storm_punch};
#define ONE_OF(w, list) list[rnd(w, sizeof list / sizeof *list)]

static void wait_for(int *word, int value)
{
	for (int v; (v = __atomic_load_n(word, __ATOMIC_ACQUIRE)) != value;)
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, v, NULL, NULL, 0);
}

static void count(int *word)
{
	__atomic_add_fetch(word, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

NOINLINE static void *storm_thread(void *arg)
{
	struct worker *w = arg;
	w->made.tid = acc_tid();
	count(&started);
	wait_for(&go, 1);
	for (int i = 0; ops ? i < ops : !terminated; i++) {
		op *f;
		if (w->n >= live_max)
			f = ONE_OF(w, enders);
		else if (w->n < 2 || rnd(w, 3) == 0)
			f = ONE_OF(w, makers);
		else
			f = ONE_OF(w, changers);
		f(w, w->n ? rnd(w, w->n) : 0);
	}
	count(&done);
	wait_for(&done, -1); // for ever: the stack stays mapped
	return NULL;
}

int main(int argc, char **argv)
{
	char name[64] = "storm.tmp.XXXXXX";
	acc_begin("storm");
	if (argc < 4 || (threads = atoi(argv[1])) < 1 || threads > MAX_THREADS)
		return 2;
	ops = atoi(argv[2]);
	if (!ops)
		signal(SIGTERM, on_term);
	if (argc > 4)
		live_max = atoi(argv[4]);
	if (live_max < 2 || live_max > ACC_RANGES / 4)
		return 2;
	temp_fd = mkstemp(name);
	self_fd = open("/proc/self/exe", O_RDONLY);
	if (temp_fd < 0 || unlink(name) != 0 || ftruncate(temp_fd, FILE_PAGES * PAGE) != 0 || self_fd < 0)
		return 1;
	for (int i = 0; i < threads; i++) {
		workers[i].rng = (strtoul(argv[3], NULL, 0) + 1) * 0x9e3779b97f4a7c15UL + i * 0xbf58476d1ce4e5b9UL;
		if (pthread_create(&workers[i].thread, NULL, storm_thread, &workers[i]) != 0)
			return 1;
	}
	wait_for(&started, threads);
	acc_printf("ready pid=%d", (long)acc_pid());
	count(&go);
	wait_for(&done, threads);
	for (int i = 0; i < threads; i++)
		acc_write_table(&workers[i].made);
	acc_end(0);
}
