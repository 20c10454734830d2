// shm_remap: SHM_REMAP attaches over live pages; without it the same is refused.
#define _GNU_SOURCE
#include "account.h"
#include <sys/shm.h>

NOINLINE static char *under(void) { return MAP_ANON_RW(10 * PAGE); }

NOINLINE static void attach_refused(int id, char *at)
{
	acc_did(__func__, "shmat", at, 4 * PAGE, acc_ret((long)shmat(id, at, 0)));
}

NOINLINE static void attach_over(int id, char *at)
{
	acc_mapped(shmat(id, at, SHM_REMAP), at, 4 * PAGE, __func__, "shmat");
}

int main(void)
{
	acc_begin("shm_remap");
	int id = shmget(IPC_PRIVATE, 4 * PAGE, 0600);
	char *p = under();
	attach_refused(id, p + 2 * PAGE);
	attach_over(id, p + 2 * PAGE);
	shmctl(id, IPC_RMID, NULL);
	acc_end(0);
}
