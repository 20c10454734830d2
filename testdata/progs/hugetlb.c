// hugetlb: a length of one page maps 2 MiB; munmap wants whole huge pages. Needs vm.nr_hugepages >= 2.
#define _GNU_SOURCE
#include "account.h"

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

int main(void)
{
	acc_begin("hugetlb");
	char *p = map_huge();
	char *q = map_huge();
	p[0] = 1;
	unmap_small(p);
	unmap_whole(q);
	acc_end(0);
}
