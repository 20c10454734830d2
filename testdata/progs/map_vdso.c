// map_vdso: arch_prctl(ARCH_MAP_VDSO_64) fails while there is a vdso, and maps one after it has been unmapped.
#define _GNU_SOURCE
#include "account.h"
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ARCH_MAP_VDSO_64 = 0x2003 };

// vdso_rows calls f for each row of maps named [vvar…] or [vdso].
static int vdso_rows(void (*f)(unsigned long, unsigned long, const char *), const char *fn)
{
	static char text[ACC_MAPS_SIZE];
	int n = 0;
	acc_read_maps();
	memcpy(text, acc_maps_text, sizeof text);
	for (const char *p = text, *eol; *p; p = eol + 1) {
		eol = strchr(p, '\n');
		const char *name = memchr(p, '[', eol - p);
		unsigned long s = acc_hex(&p);
		p++;
		unsigned long e = acc_hex(&p);
		if (name && (!strncmp(name, "[vvar", 5) || !strncmp(name, "[vdso]", 6))) {
			f(s, e, fn);
			n++;
		}
	}
	return n;
}

static void unmap(unsigned long s, unsigned long e, const char *fn) { acc_did(fn, "munmap", (void *)s, e - s, acc_ret(munmap((void *)s, e - s))); }
static void add(unsigned long s, unsigned long e, const char *fn) { acc_add(&acc_live, (void *)s, e - s, fn, "arch_prctl"); }

NOINLINE static long map_vdso_at(unsigned long at)
{
	long ret = acc_ret(syscall(SYS_arch_prctl, ARCH_MAP_VDSO_64, at));
	acc_did(__func__, "arch_prctl", (void *)at, 0, ret);
	return ret;
}

NOINLINE static void unmap_vdso(void) { vdso_rows(unmap, __func__); }

int main(void)
{
	acc_begin("map_vdso");
	char *room = mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(room, 64 * PAGE);
	map_vdso_at((unsigned long)room);
	unmap_vdso();
	if (map_vdso_at((unsigned long)room) < 0 || vdso_rows(add, "map_vdso_at") < 2)
		acc_end(1);
	acc_end(0);
}
