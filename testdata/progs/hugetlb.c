// hugetlb: a length of one page maps 2 MiB, also of a file of huge pages; munmap wants whole huge pages. Needs
// vm.nr_hugepages >= 4.
#define _GNU_SOURCE
#include "account.h"
#include <unistd.h>

enum { HUGE_PAGE = 2 << 20 };

NOINLINE static char *map_huge(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 21 << 26, -1, 0);
	acc_did(__func__, "mmap", NULL, PAGE, acc_ret((long)p));
	if (p == MAP_FAILED) {
		acc_lacks("hugetlb", errno);
		acc_end(0);
	}
	acc_add(&acc_live, p, HUGE_PAGE, __func__, "mmap");
	return p;
}

NOINLINE static void unmap_small(char *p) { acc_did(__func__, "munmap", p, PAGE, acc_ret(munmap(p, PAGE))); }
NOINLINE static void unmap_whole(char *p) { MUNMAP(p, HUGE_PAGE); }

NOINLINE static char *map_file(int fd)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	acc_did(__func__, "mmap", NULL, PAGE, acc_ret((long)p));
	if (p != MAP_FAILED)
		acc_add(&acc_live, p, HUGE_PAGE, __func__, "mmap");
	return p;
}

NOINLINE static void move_grown(char *p, char *to)
{
	void *q = mremap(p, PAGE, HUGE_PAGE + PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	acc_did(__func__, "mremap", p, PAGE, acc_ret((long)q));
	if (q != MAP_FAILED) {
		acc_cut(&acc_live, p, HUGE_PAGE);
		acc_add(&acc_live, q, 2 * HUGE_PAGE, __func__, "mremap");
	}
}

NOINLINE static void map_over(char *p)
{
	void *q = mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED, -1, 0);
	acc_did(__func__, "mmap", p, PAGE, acc_ret((long)q));
	if (q != MAP_FAILED)
		acc_add(&acc_live, q, HUGE_PAGE, __func__, "mmap");
}

int main(void)
{
	acc_begin("hugetlb");
	char *p = map_huge();
	char *q = map_huge();
	p[0] = 1;
	unmap_small(p);
	unmap_whole(q);
	int fd = memfd_create("huge", MFD_HUGETLB);
	ftruncate(fd, HUGE_PAGE);
	char *room = mmap(NULL, 8 * HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	room = (char *)(((unsigned long)room + HUGE_PAGE - 1) & -HUGE_PAGE);
	char *f = map_file(fd);
	map_file(fd);
	map_over(room);
	move_grown(f, room + 2 * HUGE_PAGE);
	acc_end(0);
}
