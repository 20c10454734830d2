// seccomp_mode [strict|trace]: asks for its seccomp mode, then installs a filter of its own that lets everything pass, and asks again. With
// "strict" it asks for the strict mode, with "trace" for a filter that hands getppid to a tracer, and says what that did.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog all = {1, code};
	struct sock_filter some[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog traces = {4, some};
	if (argc > 1 && !strcmp(argv[1], "strict")) {
		int r = prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
		char text[] = "strict ok\n";
		if (r != 0)
			memcpy(text + 7, "no", 2);
		if (write(1, text, sizeof text - 1) < 0)
			return 1;
		syscall(SYS_exit, 0);
	}
	if (argc > 1) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &traces) != 0)
			return 1;
		long parent = syscall(SYS_getppid);
		puts(parent > 0 ? "passed" : errno == ENOSYS ? "ENOSYS" : "another error");
		return 0;
	}
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
