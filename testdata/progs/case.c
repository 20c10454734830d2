// case: the investigated case. A game server with its own jemalloc (je_…) and three threads: socket, timer,
// worker. The worker's first glibc allocation is inside fopen and makes a malloc arena: 128 MiB reserved,
// trimmed to an aligned 64 MiB. The main thread maps a range and frees it, and the library that the worker
// loads next is given part of it.
#define _GNU_SOURCE
#include "account.h"
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef JEMALLOC
void *je_malloc(size_t size);
// Read by jemalloc: it would have as many arenas as there are processors, and one of them only on one.
const char *malloc_conf = "narenas:8";
#else
// own_alloc stands for it where there is none to link.
#define JEMALLOC 0
#define je_malloc own_alloc
NOINLINE static void *own_alloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}
#endif

enum { HEAP_MAX = 64 << 20, TRANSIENT = (2 << 20) - 4096, TRIES = 8 };

static char lib_path[4096], self_path[4096];
static char *transient; // the range that was freed, for the library to land in
static unsigned long transient_len;
static FILE *script;
static int step;

// The threads take turns: nobody maps while another does.
static void wait_step(int n)
{
	for (int v; (v = __atomic_load_n(&step, __ATOMIC_ACQUIRE)) < n;)
		syscall(SYS_futex, &step, FUTEX_WAIT_PRIVATE, v, NULL, NULL, 0);
}

static void next_step(void)
{
	__atomic_add_fetch(&step, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &step, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

static void name_thread(const char *name)
{
	char here;
	prctl(PR_SET_NAME, name);
	acc_printf("thread pid=%d tid=%d name=%s stack=%x", (long)acc_pid(), (long)acc_tid(), name, (unsigned long)&here);
}

// allocated says that [p, p+len) lies in memory that jemalloc mapped under fn.
static void *allocated(char *p, unsigned long len, const char *fn)
{
	if (!p)
		acc_fail("je_malloc");
	memset(p, 1, len);
	if (JEMALLOC)
		acc_printf("jemalloc pid=%d tid=%d start=%x len=%d fn=%s", (long)acc_pid(), (long)acc_tid(), (unsigned long)p, len, fn);
	return p;
}

NOINLINE static void silly_socket_init(void) { allocated(je_malloc(3670016), 3670016, __func__); }
NOINLINE static void silly_timer_init(void) { allocated(je_malloc(2000000), 2000000, __func__); }

NOINLINE static void *thread_socket(void *arg)
{
	wait_step(1);
	name_thread("socket");
	allocated(je_malloc(100), 100, __func__);
	next_step();
	wait_step(1000);
	return arg;
}

NOINLINE static void *thread_timer(void *arg)
{
	wait_step(2);
	name_thread("timer");
	allocated(je_malloc(100), 100, __func__);
	next_step();
	wait_step(1000);
	return arg;
}

NOINLINE static void luaL_loadfilex(const char *path)
{
	script = fopen(path, "r"); // the first malloc of this thread
	if (!script)
		acc_fail("fopen");
	unsigned long arena = (unsigned long)script & -(unsigned long)HEAP_MAX;
	acc_printf("arena pid=%d tid=%d start=%x end=%x fn=%s reserved=%d", (long)acc_pid(), (long)acc_tid(), arena,
		   arena + HEAP_MAX, __func__, 2L * HEAP_MAX);
	acc_add(&acc_live, (void *)arena, HEAP_MAX, __func__, "mmap");
}

NOINLINE static void *lsys_load(void)
{
	void *lib = dlopen(lib_path, RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		acc_fail("dlopen");
	return lib;
}

// library_length is what the loader will ask for: from the first to the last page of the PT_LOADs.
static unsigned long library_length(void)
{
	static union {
		Elf64_Ehdr eh;
		char bytes[4096];
	} head;
	unsigned long low = -1UL, high = 0;
	int fd = open(lib_path, O_RDONLY);
	if (fd < 0 || read(fd, &head, sizeof head) != sizeof head)
		acc_fail("sys.so");
	close(fd);
	Elf64_Phdr *ph = (Elf64_Phdr *)(head.bytes + head.eh.e_phoff);
	for (int i = 0; i < head.eh.e_phnum; i++) {
		if (ph[i].p_type != PT_LOAD)
			continue;
		if (low > (ph[i].p_vaddr & -PAGE))
			low = ph[i].p_vaddr & -PAGE;
		if (high < ph[i].p_vaddr + ph[i].p_memsz)
			high = ph[i].p_vaddr + ph[i].p_memsz;
	}
	return ((high + PAGE - 1) & -PAGE) - low;
}

// ll_require loads the library and says whether it landed in the freed range.
NOINLINE static int ll_require(void)
{
	struct link_map *map;
	void *lib = lsys_load();
	if (dlinfo(lib, RTLD_DI_LINKMAP, &map) != 0)
		acc_fail("dlinfo");
	char *base = (char *)map->l_addr;
	if (base < transient || base >= transient + transient_len) {
		dlclose(lib);
		return 0;
	}
	((int (*)(int))dlsym(lib, "luaopen_sys"))(7);
	acc_printf("reused pid=%d start=%x end=%x first=transient_map first_tid=%d then=lsys_load then_tid=%d path=%s",
		   (long)acc_pid(), (unsigned long)base, (unsigned long)base + library_length(), (long)acc_pid(),
		   (long)acc_tid(), lib_path);
	return 1;
}

static int landed, tried;

NOINLINE static void silly_worker_start(void)
{
	luaL_loadfilex(self_path);
	next_step();
	while (!landed && tried < TRIES) {
		wait_step(5 + 2 * tried); // the main thread has mapped and freed
		landed = ll_require();
		tried++;
		next_step();
	}
}

NOINLINE static void *thread_worker(void *arg)
{
	wait_step(3);
	name_thread("worker");
	silly_worker_start();
	wait_step(1000);
	return arg;
}

// transient_map maps a range and frees it at once, as jemalloc did with an over-large one. The kernel gives the
// highest gap that fits, so the library goes elsewhere where one too small for the range stands above it: then
// the range is made smaller, down to the library's size.
NOINLINE static void transient_map(unsigned long len)
{
	transient = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	transient_len = len;
	acc_did(__func__, "mmap", NULL, len, (long)transient);
	acc_did(__func__, "munmap", transient, len, munmap(transient, len));
}

NOINLINE static void silly_run(void)
{
	static void *(*const mains[])(void *) = {thread_socket, thread_timer, thread_worker};
	pthread_t t;
	silly_socket_init();
	silly_timer_init();
	for (int i = 0; i < 3; i++)
		if (pthread_create(&t, NULL, mains[i], NULL) != 0)
			acc_fail("pthread_create");
	next_step();
	wait_step(4);
	for (int i = 0; i < TRIES && !landed; i++) {
		unsigned long len = TRANSIENT >> i & -PAGE;
		transient_map(len > library_length() ? len : library_length());
		next_step();
		wait_step(6 + 2 * i);
	}
	acc_printf("landed pid=%d landed=%d tries=%d", (long)acc_pid(), (long)landed, (long)tried);
}

int main(void)
{
	acc_begin("case");
	long n = readlink("/proc/self/exe", self_path, sizeof self_path - 20);
	if (n < 0)
		return 1;
	memcpy(lib_path, self_path, n);
	strcpy(strrchr(lib_path, '/') + 1, "sys.so");
	silly_run();
	acc_end(landed ? 0 : 1);
}
