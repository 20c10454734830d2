// hostile: does what a tracer may not bear, one thing a run (argv[1]), once or for argv[2] ms again and again, and says "ready", then
// "unharmed" and ends with status 9, or what went wrong and ends with 1. Of the argv[2] ms it does not use those that are left when
// standard input ends, but for three times more.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
static void bad(const char *what) { dprintf(1, "%s: %s\n", what, strerror(errno)); _exit(1); }
static void *map(size_t n, int prot, int flags) {
	void *p = mmap(0, n, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	if (p == MAP_FAILED) bad("mmap");
	return p;
}
static void some_calls(int n) {
	for (int i = 0; i < n; i++) {
		size_t len = PAGE * (1 + i % 5);
		char *p = map(len, PROT_READ | PROT_WRITE, 0);
		memset(p, i, len);
		if (mprotect(p, PAGE, PROT_READ)) bad("mprotect");
		if (p[len - 1] != (char)i) bad("memory");
		if (munmap(p, len)) bad("munmap");
	}
}
static void reaped(pid_t pid, int want) {
	int st = 0;
	if (waitpid(pid, &st, __WALL) != pid) bad("waitpid");
	if (st != want) { dprintf(1, "a child ended with %#x, not %#x\n", st, want); _exit(1); }
}

// Threads that block SIGTRAP map, and one of them executes the program again.
static void *blocked(void *arg) {
	sigset_t s;
	sigemptyset(&s); sigaddset(&s, SIGTRAP);
	if (arg) pthread_sigmask(SIG_BLOCK, &s, 0);
	some_calls(1000000);
	return 0;
}
static char **args;
static void *executes(void *arg) { usleep(3000); execv("/proc/self/exe", (char *[]){args[0], "end", 0}); bad("execv"); return arg; }
static void block_and_exec(void) {
	pthread_t t;
	for (long i = 0; i < 6; i++) pthread_create(&t, 0, blocked, (void *)(i % 2));
	for (long i = 0; i < 3; i++) pthread_create(&t, 0, executes, 0);
	for (;;) pause();
}
// The vdso, with whatever a tracer has prepared there.
static void unmaps_vdso(void) {
	char line[512];
	struct { unsigned long a, b; } list[256];
	int n = 0;
	FILE *f = fopen("/proc/self/maps", "r");
	while (n < 256 && fgets(line, sizeof line, f)) {
		unsigned long a, b; char perms[8], path[256] = "";
		sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &a, &b, perms, path);
		if (!strncmp(path, "[v", 2) && a < 1UL << 47) { list[n].a = a; list[n++].b = b; }
	}
	fclose(f);
	for (int i = 0; i < n; i++) if (munmap((void *)list[i].a, list[i].b - list[i].a)) bad("munmap of the vdso");
	for (int i = 0; i < 100; i++) syscall(SYS_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
}
// Its own text: the code that calls munmap is gone when the call returns.
static void unmaps_text(void) {
	pid_t pid = fork();
	if (!pid) {
		some_calls(20);
		char line[512]; unsigned long a, b; FILE *f = fopen("/proc/self/maps", "r");
		while (fgets(line, sizeof line, f)) if (strstr(line, "libc") && strstr(line, "r-xp")) { sscanf(line, "%lx-%lx", &a, &b); munmap((void *)a, b - a); }
		_exit(0);
	}
	reaped(pid, SIGSEGV);
}
static void changes_itself(void) {
	some_calls(50);
	if (prctl(PR_SET_DUMPABLE, 0)) bad("PR_SET_DUMPABLE");
	some_calls(50);
	if (personality(READ_IMPLIES_EXEC) < 0) bad("personality");
	some_calls(50);
	personality(0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) bad("NO_NEW_PRIVS");
	some_calls(50);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)) bad("strict");
	if (write(1, "unharmed\n", 9) != 9) {}
	syscall(SYS_exit, 9);
}
// No /proc, and nothing in the root.
static void empty_root(void) {
	pid_t pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNS) || mount(0, "/", 0, MS_REC | MS_PRIVATE, 0) || mount("t", "/tmp", "tmpfs", 0, 0)) _exit(0);
		mkdir("/tmp/old", 0700);
		if (syscall(SYS_pivot_root, "/tmp", "/tmp/old") || chdir("/") || umount2("/old", MNT_DETACH)) bad("pivot_root");
		some_calls(200);
		pid_t c = fork();
		if (!c) { some_calls(50); _exit(3); }
		reaped(c, 3 << 8);
		_exit(0);
	}
	reaped(pid, 0);
}
static int shares(void *arg) { (void)arg; some_calls(100); return 5; }
static void clone_vm(void) {
	pid_t pids[8];
	for (int i = 0; i < 8; i++) {
		char *stack = map(16 * PAGE, PROT_READ | PROT_WRITE, 0);
		pids[i] = clone(shares, stack + 16 * PAGE, CLONE_VM | (i % 2 ? SIGCHLD : 0) | (i % 3 ? CLONE_FILES : 0), 0);
		if (pids[i] < 0) bad("clone");
	}
	some_calls(100);
	for (int i = 0; i < 8; i++) reaped(pids[i], 5 << 8);
}
static void *vforks(void *arg) {
	(void)arg;
	for (volatile int i = 0; i < 60; i++) {
		pid_t pid = vfork();
		if (!pid) {
			if (i % 3) _exit(4);
			execl("/bin/true", "true", (char *)0);
			_exit(127);
		}
		if (pid < 0) bad("vfork");
		reaped(pid, i % 3 ? 4 << 8 : 0);
	}
	return 0;
}
static void vfork_storm(void) {
	pthread_t t[4];
	for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, vforks, 0);
	some_calls(300);
	for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
}
// Children that ask to be traced, which under a tracer they may not be: as without one they go on.
static void traceme(void) {
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		if (!pid) { ptrace(PTRACE_TRACEME, 0, 0, 0); some_calls(20); _exit(6); }
		reaped(pid, 6 << 8);
	}
}
static void *over_stack(void *arg) {
	(void)arg;
	char *here = (char *)((unsigned long)__builtin_frame_address(0) & ~(PAGE - 1));
	for (int i = 3; i < 200; i++) // below what is used
		if (mmap(here - (i % 16 + 8) * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) bad("MAP_FIXED");
	return 0;
}
static void fixed_over_stack(void) {
	pthread_t t[3];
	for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, over_stack, 0);
	over_stack(0);
	for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
}
static void remaps(void) {
	int fd = memfd_create("m", 0);
	if (ftruncate(fd, 16 * PAGE)) bad("ftruncate");
	for (int i = 0; i < 50; i++) {
		char *p = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (syscall(SYS_remap_file_pages, p + (i % 7) * PAGE, PAGE, 0, (i * 5) % 16, 0)) bad("remap_file_pages");
		char *q = map(4 * PAGE, PROT_READ | PROT_WRITE, 0);
		memset(q, 1, 4 * PAGE);
		char *r = mremap(q, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
		if (r == MAP_FAILED) bad("DONTUNMAP");
		if (r[5] != 1 || q[5] != 0) bad("what DONTUNMAP left");
		char *s = mremap(r, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
		if (s == MAP_FAILED) bad("mremap");
		munmap(q, 4 * PAGE); munmap(s, 8 * PAGE); munmap(p, 8 * PAGE);
	}
}
static void process_advice(void) {
	int fd = syscall(SYS_pidfd_open, getpid(), 0);
	for (int i = 0; i < 50; i++) {
		char *p = map(8 * PAGE, PROT_READ | PROT_WRITE, 0);
		memset(p, 1, 8 * PAGE);
		struct iovec v[2] = {{p, PAGE}, {p + 4 * PAGE, 2 * PAGE}};
		if (syscall(SYS_process_madvise, fd, v, 2, MADV_COLD, 0) < 0 && errno != ENOSYS && errno != EPERM) bad("process_madvise");
		madvise(p, PAGE, MADV_DONTFORK); madvise(p + PAGE, PAGE, MADV_WIPEONFORK);
		munmap(p, 8 * PAGE);
	}
}
static void *touches(void *p) { return (void *)(long)*(volatile char *)p; }
static void faults_itself(void) {
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	if (fd < 0) return;
	struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_EVENT_UNMAP | UFFD_FEATURE_EVENT_REMAP};
	if (ioctl(fd, UFFDIO_API, &api)) { close(fd); fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY); api.features = 0; if (ioctl(fd, UFFDIO_API, &api)) return; }
	for (int i = 0; i < 20; i++) {
		char *p = map(4 * PAGE, PROT_READ | PROT_WRITE, 0), *from = map(PAGE, PROT_READ | PROT_WRITE, 0);
		memset(from, 7, PAGE);
		struct uffdio_register r = {.range = {(unsigned long)p, 4 * PAGE}, .mode = UFFDIO_REGISTER_MODE_MISSING};
		if (ioctl(fd, UFFDIO_REGISTER, &r)) bad("UFFDIO_REGISTER");
		pthread_t t; void *got = 0;
		pthread_create(&t, 0, touches, p + PAGE);
		struct uffd_msg m;
		if (read(fd, &m, sizeof m) != sizeof m) bad("read of userfaultfd");
		struct uffdio_copy c = {.dst = (unsigned long)p + PAGE, .src = (unsigned long)from, .len = PAGE};
		if (ioctl(fd, UFFDIO_COPY, &c)) bad("UFFDIO_COPY");
		pthread_join(t, &got);
		if ((long)got != 7) bad("what the fault gave");
		struct uffdio_range u = {(unsigned long)p, 4 * PAGE};
		if (ioctl(fd, UFFDIO_UNREGISTER, &u)) bad("UFFDIO_UNREGISTER");
		munmap(p, 4 * PAGE); munmap(from, PAGE);
	}
}
static const struct { const char *name; void (*run)(void); } all[] = {
	{"block_and_exec", block_and_exec}, {"vdso", unmaps_vdso}, {"text", unmaps_text}, {"changes", changes_itself},
	{"empty_root", empty_root}, {"clone_vm", clone_vm}, {"vfork", vfork_storm}, {"traceme", traceme}, {"stack", fixed_over_stack},
	{"remaps", remaps}, {"advice", process_advice}, {"userfault", faults_itself}, {"end", 0},
};
int main(int argc, char **argv) {
	args = argv;
	int ms = argc > 2 ? atoi(argv[2]) : 0;
	for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
		if (argc < 2 || strcmp(argv[1], all[i].name)) continue;
		if (write(1, "ready\n", 6) != 6) {}
		if (ms) { // again and again
			struct timespec a, b;
			clock_gettime(CLOCK_MONOTONIC, &a);
			int left = 3; // of those after standard input has ended
			do {
				if (all[i].run) all[i].run();
				struct pollfd input = {0, POLLIN, 0};
				if (syscall(SYS_poll, &input, 1, 0) == 1) left--;
				syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &b);
			} while (left && (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < ms);
		} else if (all[i].run) all[i].run();
		if (write(1, "unharmed\n", 9) != 9) {}
		_exit(9);
	}
	return 2;
}
