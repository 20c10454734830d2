// shm: shmat, a partial munmap, shmdt of what is left; a second attachment stays, with pages taken out of it.
#define _GNU_SOURCE
#include "account.h"
#include <sys/shm.h>

enum { PAGES = 8 };

NOINLINE static char *attach_first(int id) { return acc_mapped(shmat(id, NULL, 0), NULL, PAGES * PAGE, __func__, "shmat"); }
NOINLINE static char *attach_read_only(int id)
{
	return acc_mapped(shmat(id, NULL, SHM_RDONLY), NULL, PAGES * PAGE, __func__, "shmat");
}
NOINLINE static void punch(char *p) { MUNMAP(p + 2 * PAGE, 3 * PAGE); }
NOINLINE static void cover(char *p)
{
	MMAP(p + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

NOINLINE static void detach(char *p)
{
	// shmdt takes every piece of this attachment, and leaves what is not of it
	acc_cut(&acc_live, p, PAGE);
	acc_cut(&acc_live, p + 2 * PAGE, (PAGES - 2) * PAGE);
	acc_did(__func__, "shmdt", p, 0, acc_ret(shmdt(p)));
}

NOINLINE static void detach_nothing(char *p) { acc_did(__func__, "shmdt", p + PAGE, 0, acc_ret(shmdt(p + PAGE))); }

int main(void)
{
	acc_begin("shm");
	int id = shmget(IPC_PRIVATE, PAGES * PAGE - 100, 0600);
	char *first = attach_first(id), *second = attach_read_only(id);
	shmctl(id, IPC_RMID, NULL);
	punch(first);
	cover(first);
	detach(first);
	punch(second);
	detach_nothing(second);
	acc_end(0);
}
