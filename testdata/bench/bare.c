// bare PROGRAM [ARG...]: the least a tracer of mapping calls can do: a seccomp filter that stops on them alone,
// two stops a call (entry and exit), no register read, nothing written. The yardstick of make bench.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const int calls[] = {SYS_mmap, SYS_munmap, SYS_brk, SYS_mremap, SYS_mprotect, SYS_pkey_mprotect,
			    SYS_remap_file_pages, SYS_shmat, SYS_shmdt, SYS_io_setup, SYS_io_destroy, SYS_madvise};
enum { CALLS = sizeof calls / sizeof *calls };

static void die(const char *what)
{
	perror(what);
	exit(125);
}

static void install_filter(void)
{
	struct sock_filter code[CALLS + 3];
	struct sock_fprog prog = {CALLS + 3, code};
	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (int i = 0; i < CALLS; i++)
		code[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i], CALLS - i, 0);
	code[CALLS + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[CALLS + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	if (geteuid() != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		die("no_new_privs");
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) != 0)
		die("seccomp");
}

int main(int argc, char **argv)
{
	int ready[2], status, last = 0;
	unsigned long events = 0;
	char c;
	if (argc < 2)
		return 2;
	if (pipe(ready) != 0)
		die("pipe");
	pid_t child = fork(), pid;
	if (child == 0) {
		close(ready[1]);
		if (read(ready[0], &c, 1) != 1)
			_exit(125);
		close(ready[0]);
		install_filter();
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	if (ptrace(PTRACE_SEIZE, child, 0,
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE |
			   PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC) != 0)
		die("seize");
	if (write(ready[1], "x", 1) != 1)
		die("pipe");
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		int request = PTRACE_CONT, sig = 0;
		if (!WIFSTOPPED(status)) {
			if (pid == child)
				last = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			continue;
		}
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
			request = PTRACE_SYSCALL; // entry: stop once more, at the exit
		else if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			events++;
		else if (status >> 16 == 0)
			sig = WSTOPSIG(status);
		ptrace(request, pid, 0, sig);
	}
	if (getenv("BARE_COUNT"))
		fprintf(stderr, "bare: %lu events\n", events);
	return last;
}
