// account.h: a traced program says what it did, on a descriptor of its own.
//
// The account must not disturb the mappings it talks about: everything here is raw system calls, static
// buffers and a few hundred bytes of stack; no stdio, no malloc, no libc at all (it also serves programs
// without one, and 32-bit ones). testdata/README.md describes the lines.
//
// The table of what is mapped lives in the program's memory, as the mappings do: a fork child gets a copy,
// a vfork or CLONE_VM child shares it, exec ends it.
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include <stdarg.h>

#define NOINLINE __attribute__((noinline, noclone))
#define PAGE 4096UL
#define ACC_ANY __attribute__((unused)) static

#ifndef ACC_RANGES
#define ACC_RANGES 512
#endif
#ifndef ACC_MAPS_SIZE
#define ACC_MAPS_SIZE (1 << 20)
#endif

#ifdef __i386__
enum { ACC_READ = 3, ACC_WRITE = 4, ACC_OPEN = 5, ACC_CLOSE = 6, ACC_GETPID = 20, ACC_FCNTL = 55,
       ACC_GETTID = 224, ACC_EXIT_GROUP = 252 };
ACC_ANY long acc_sys(long nr, long a, long b, long c)
{
	long ret;
	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return ret;
}
#else
enum { ACC_READ = 0, ACC_WRITE = 1, ACC_OPEN = 2, ACC_CLOSE = 3, ACC_GETPID = 39, ACC_FCNTL = 72,
       ACC_GETTID = 186, ACC_EXIT_GROUP = 231 };
ACC_ANY long acc_sys(long nr, long a, long b, long c)
{
	long ret;
	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return ret;
}
#endif

ACC_ANY int acc_fd = -1;

ACC_ANY int acc_pid(void) { return (int)acc_sys(ACC_GETPID, 0, 0, 0); }
ACC_ANY int acc_tid(void) { return (int)acc_sys(ACC_GETTID, 0, 0, 0); }

// acc_printf writes one whole line with one write(2); it knows %s, %d (long) and %x (unsigned long).
ACC_ANY void acc_printf(const char *fmt, ...)
{
	char line[512];
	unsigned n = 0;
	va_list ap;
	va_start(ap, fmt);
	for (; *fmt && n < sizeof line - 32; fmt++) {
		if (*fmt != '%') {
			line[n++] = *fmt;
			continue;
		}
		fmt++;
		if (*fmt == 's') {
			const char *s = va_arg(ap, const char *);
			while (*s && n < sizeof line - 32)
				line[n++] = *s++;
			continue;
		}
		unsigned long v = va_arg(ap, unsigned long), base = *fmt == 'x' ? 16 : 10;
		char digits[24];
		int k = 0;
		if (*fmt == 'x') {
			line[n++] = '0';
			line[n++] = 'x';
		} else if ((long)v < 0) {
			line[n++] = '-';
			v = -v;
		}
		do {
			digits[k++] = "0123456789abcdef"[v % base];
			v /= base;
		} while (v);
		while (k)
			line[n++] = digits[--k];
	}
	va_end(ap);
	line[n++] = '\n';
	if (acc_fd >= 0)
		acc_sys(ACC_WRITE, acc_fd, (long)line, n);
}

// acc_var finds NAME= in an environment and returns what follows it, or 0.
ACC_ANY const char *acc_var(char **env, const char *name)
{
	for (; env && *env; env++) {
		const char *e = *env, *n = name;
		while (*n && *e == *n)
			e++, n++;
		if (!*n && *e == '=')
			return e + 1;
	}
	return 0;
}

// acc_begin_env opens the account and writes its first line. Call it before opening anything else.
ACC_ANY void acc_begin_env(const char *program, char **env)
{
	const char *path = acc_var(env, "VMBLAME_ACCOUNT"), *fd = acc_var(env, "VMBLAME_ACCOUNT_FD");
	if (path && *path) {
		acc_fd = (int)acc_sys(ACC_OPEN, (long)path, 02002101, 0600); // WRONLY|CREAT|APPEND|CLOEXEC
	} else if (fd && *fd) {
		for (acc_fd = 0; *fd >= '0' && *fd <= '9'; fd++)
			acc_fd = acc_fd * 10 + *fd - '0';
	} else if (acc_sys(ACC_FCNTL, 3, 1 /* F_GETFD */, 0) >= 0) {
		acc_fd = 3;
	}
	acc_printf("account version=1 program=%s pid=%d tid=%d", program, (long)acc_pid(), (long)acc_tid());
}

#ifndef ACC_FREESTANDING
#ifdef __cplusplus
extern "C" char **environ;
#else
extern char **environ;
#endif
ACC_ANY void acc_begin(const char *program) { acc_begin_env(program, environ); }
#endif

struct acc_range {
	unsigned long start, end;
	const char *fn, *call;
	int tid;
};

struct acc_table {
	struct acc_range r[ACC_RANGES];
	int n, lock;
	int tid; // set where one thread alone uses the table, to spare a call
};

ACC_ANY struct acc_table acc_live; // the table of programs that need only one

ACC_ANY void acc_lock(struct acc_table *t)
{
	while (__atomic_exchange_n(&t->lock, 1, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
}
ACC_ANY void acc_unlock(struct acc_table *t) { __atomic_store_n(&t->lock, 0, __ATOMIC_RELEASE); }

ACC_ANY void acc_fail(const char *why)
{
	acc_printf("broken why=%s", why);
	acc_sys(ACC_WRITE, 2, (long)"account: broken\n", 16);
	acc_sys(ACC_EXIT_GROUP, 99, 0, 0);
}

ACC_ANY void acc_cut_locked(struct acc_table *t, unsigned long start, unsigned long end)
{
	for (int i = t->n - 1; i >= 0; i--) {
		struct acc_range *r = &t->r[i];
		if (r->end <= start || end <= r->start)
			continue;
		if (r->start < start && end < r->end) { // a hole: the upper part becomes a range of its own
			if (t->n == ACC_RANGES)
				acc_fail("table-full");
			t->r[t->n] = *r;
			t->r[t->n++].start = end;
			r->end = start;
		} else if (r->start < start) {
			r->end = start;
		} else if (end < r->end) {
			r->start = end;
		} else {
			*r = t->r[--t->n];
		}
	}
}

// acc_cut takes [start, start+len) out of the table. Before the call that unmaps it, lest another thread be
// given the pages first.
ACC_ANY void acc_cut(struct acc_table *t, const void *start, unsigned long len)
{
	acc_lock(t);
	acc_cut_locked(t, (unsigned long)start, (unsigned long)start + ((len + PAGE - 1) & -PAGE));
	acc_unlock(t);
}

// acc_add says that [start, start+len) was made by this thread in fn by call; what stood there is gone.
ACC_ANY void acc_add(struct acc_table *t, const void *start, unsigned long len, const char *fn, const char *call)
{
	unsigned long s = (unsigned long)start, e = s + ((len + PAGE - 1) & -PAGE);
	acc_lock(t);
	acc_cut_locked(t, s, e);
	if (t->n == ACC_RANGES)
		acc_fail("table-full");
	struct acc_range r = {s, e, fn, call, t->tid ? t->tid : acc_tid()};
	if (s < e)
		t->r[t->n++] = r;
	acc_unlock(t);
}

ACC_ANY const char *acc_errname(long err)
{
	switch (err) {
	case 1: return "EPERM";
	case 4: return "EINTR";
	case 9: return "EBADF";
	case 11: return "EAGAIN";
	case 12: return "ENOMEM";
	case 13: return "EACCES";
	case 14: return "EFAULT";
	case 16: return "EBUSY";
	case 17: return "EEXIST";
	case 19: return "ENODEV";
	case 22: return "EINVAL";
	case 28: return "ENOSPC";
	case 38: return "ENOSYS";
	case 95: return "EOPNOTSUPP";
	}
	return "OTHER";
}

// acc_did writes what a call on [addr, addr+len) returned: a value, or minus an errno.
ACC_ANY void acc_did(const char *fn, const char *call, const void *addr, unsigned long len, long ret)
{
	if (ret < 0 && ret > -4096)
		acc_printf("did pid=%d tid=%d fn=%s call=%s addr=%x len=%d error=%s", (long)acc_pid(), (long)acc_tid(),
			   fn, call, (unsigned long)addr, len, acc_errname(-ret));
	else
		acc_printf("did pid=%d tid=%d fn=%s call=%s addr=%x len=%d result=%x", (long)acc_pid(), (long)acc_tid(),
			   fn, call, (unsigned long)addr, len, ret);
}

// acc_lacks says that this machine cannot show the case.
ACC_ANY void acc_lacks(const char *what, long err) { acc_printf("lacks what=%s error=%s", what, acc_errname(err)); }

ACC_ANY char acc_maps_text[ACC_MAPS_SIZE];

// acc_read_maps reads the calling thread's maps ("self" is empty once the leader has gone) and returns its length.
ACC_ANY long acc_read_maps(void)
{
	long fd = acc_sys(ACC_OPEN, (long)"/proc/thread-self/maps", 02000000, 0), n = 0, got;
	if (fd < 0)
		acc_fail("no-proc-maps");
	while ((got = acc_sys(ACC_READ, fd, (long)(acc_maps_text + n), ACC_MAPS_SIZE - 1 - n)) > 0)
		n += got;
	acc_sys(ACC_CLOSE, fd, 0, 0);
	if (n >= ACC_MAPS_SIZE - 1)
		acc_fail("maps-too-long");
	acc_maps_text[n] = 0;
	return n;
}

ACC_ANY unsigned long acc_hex(const char **p)
{
	unsigned long v = 0;
	for (;; (*p)++) {
		char c = **p;
		if (c >= '0' && c <= '9')
			v = v * 16 + c - '0';
		else if (c >= 'a' && c <= 'f')
			v = v * 16 + c - 'a' + 10;
		else
			return v;
	}
}

// acc_row finds the row of maps that holds addr (as the kernel merges rows, not as they were made).
ACC_ANY int acc_row(const void *addr, unsigned long *start, unsigned long *end)
{
	acc_read_maps();
	for (const char *p = acc_maps_text; *p;) {
		*start = acc_hex(&p);
		p++;
		*end = acc_hex(&p);
		if (*start <= (unsigned long)addr && (unsigned long)addr < *end)
			return 1;
		while (*p && *p++ != '\n')
			;
	}
	*start = *end = 0;
	return 0;
}

ACC_ANY void acc_write_table(const struct acc_table *t)
{
	long pid = acc_pid();
	for (int i = 0; i < t->n; i++)
		acc_printf("live pid=%d start=%x end=%x fn=%s tid=%d call=%s", pid, t->r[i].start, t->r[i].end,
			   t->r[i].fn, (long)t->r[i].tid, t->r[i].call);
}

// acc_write_maps writes the whole of maps, each line behind "maps PID ".
ACC_ANY void acc_write_maps(void)
{
	static char out[4096]; // whole lines, at most PIPE_BUF, so that the lines of two processes never mix
	char head[24] = "maps ";
	unsigned long n = 0, h = 5;
	long pid = acc_pid(), ten = 1;
	acc_read_maps();
	while (pid / ten >= 10)
		ten *= 10;
	for (; ten; ten /= 10)
		head[h++] = '0' + pid / ten % 10;
	head[h++] = ' ';
	for (const char *p = acc_maps_text, *q; *p; p = q) {
		for (q = p; *q++ != '\n';)
			;
		if (n + h + (unsigned long)(q - p) > sizeof out) {
			if (acc_fd >= 0)
				acc_sys(ACC_WRITE, acc_fd, (long)out, n);
			n = 0;
		}
		for (unsigned long i = 0; i < h; i++)
			out[n++] = head[i];
		for (; p < q && n < sizeof out; p++)
			out[n++] = *p;
	}
	if (acc_fd >= 0)
		acc_sys(ACC_WRITE, acc_fd, (long)out, n);
}

// acc_report writes what is mapped now and by whom. The space must be quiet.
ACC_ANY void acc_report(void)
{
	acc_write_table(&acc_live);
	acc_write_maps();
	acc_printf("end pid=%d", (long)acc_pid());
}

// acc_end reports and ends the process at once, so that nothing changes after the report.
__attribute__((noreturn)) ACC_ANY void acc_end(int code)
{
	acc_report();
	for (;;)
		acc_sys(ACC_EXIT_GROUP, code, 0, 0);
}

#ifndef ACC_FREESTANDING
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

// acc_ret makes minus errno of libc's -1.
ACC_ANY long acc_ret(long ret) { return ret == -1 ? -errno : ret; }

ACC_ANY void *acc_mapped(void *p, const void *addr, unsigned long len, const char *fn, const char *call)
{
	acc_did(fn, call, addr, len, acc_ret((long)p));
	if (p != MAP_FAILED)
		acc_add(&acc_live, p, len, fn, call);
	return p;
}

// The calls as the programs make them: made, written down, and kept in the table.
#define MMAP(addr, len, prot, flags, fd, off) \
	acc_mapped(mmap(addr, len, prot, flags, fd, off), addr, len, __func__, "mmap")
#define MAP_ANON_RW(len) MMAP(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
#define MUNMAP(addr, len) \
	(acc_cut(&acc_live, addr, len), acc_did(__func__, "munmap", addr, len, acc_ret(munmap(addr, len))))
#define MPROTECT(addr, len, prot) acc_did(__func__, "mprotect", addr, len, acc_ret(mprotect(addr, len, prot)))
#endif

#endif
