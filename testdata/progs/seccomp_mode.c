// seccomp_mode: asks for its seccomp mode, then installs a filter of its own that lets everything pass, and asks again.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog all = {1, code};
	printf("%d\n", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
	fflush(stdout);
	if (fork() == 0) {
		printf("child %d\n", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all, 0, 0) != 0)
		return 1;
	printf("%d\n", prctl(PR_GET_SECCOMP, 0, 0, 0, 0));
	return 0;
}
