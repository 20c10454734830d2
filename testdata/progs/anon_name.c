// anon_name: prctl(PR_SET_VMA) names part of a mapping, which parts its row and changes no origin.
#define _GNU_SOURCE
#include "account.h"
#include <sys/prctl.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

NOINLINE static char *make(void) { return MAP_ANON_RW(8 * PAGE); }

NOINLINE static void name_part(char *p)
{
	long ret = acc_ret(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p + 2 * PAGE, 3 * PAGE, "a part of it"));
	acc_did(__func__, "prctl", p + 2 * PAGE, 3 * PAGE, ret);
	if (ret < 0)
		acc_lacks("anon-names", -ret);
}

int main(void)
{
	acc_begin("anon_name");
	name_part(make());
	acc_end(0);
}
