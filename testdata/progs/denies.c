// denies RULE... -- PROGRAM [ARG...]: runs PROGRAM in a sandbox of filters and capability sets, as containers and service
// managers make them. Filters are inherited, and PROGRAM cannot lift them. Rules:
//   CALL=ERRNO        the call fails: ptrace=38, process_vm_readv=1, kcmp=1, perf_event_open=13, ioctl=25 …
//   CALL:ARG:VALUE=ERRNO  only with that value (32 bits) of that argument (0 …)
//   caps=HEX          the effective, permitted and bounding sets are these (capabilities(7))
//   no_new_privs      prctl(PR_SET_NO_NEW_PRIVS)
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	int number;
} calls[] = {{"ptrace", SYS_ptrace}, {"process_vm_readv", SYS_process_vm_readv}, {"kcmp", SYS_kcmp}, {"perf_event_open", SYS_perf_event_open},
	{"ioctl", SYS_ioctl}, {"personality", SYS_personality}, {"pidfd_open", SYS_pidfd_open}, {"pidfd_getfd", SYS_pidfd_getfd},
	{"seccomp", SYS_seccomp}, {"userfaultfd", SYS_userfaultfd}, {"bpf", SYS_bpf}, {"openat2", SYS_openat2}, {"clone3", SYS_clone3},
	{"process_vm_writev", SYS_process_vm_writev}, {"pidfd_send_signal", SYS_pidfd_send_signal}, {"prctl", SYS_prctl}, {"add_key", SYS_add_key},
	{"mount", SYS_mount}, {"unshare", SYS_unshare}, {"renameat2", SYS_renameat2}, {"fallocate", SYS_fallocate}};

static void die(const char *what)
{
	fprintf(stderr, "denies: %s: %s\n", what, strerror(errno));
	exit(99);
}

static void install(struct sock_filter *code, size_t n)
{
	struct sock_fprog program = {.len = n, .filter = code};
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
		die("seccomp");
}

static void deny(char *rule)
{
	char *colon = strchr(rule, ':'), *equals = strchr(rule, '='), *name = rule;
	int number = -1, error = atoi(equals + 1);
	unsigned arg = 0, value = 0;
	*equals = 0;
	if (colon) {
		*colon = 0;
		arg = strtoul(colon + 1, &colon, 0);
		value = strtoul(colon + 1, NULL, 0);
	}
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (!strcmp(calls[i].name, name))
			number = calls[i].number;
	if (number < 0) {
		errno = EINVAL;
		die(name);
	}
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * arg),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, colon ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	install(code, sizeof code / sizeof *code);
}

static void limit(unsigned long long set)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};
	for (int cap = 0; cap < 64; cap++)
		if (!(set >> cap & 1))
			prctl(PR_CAPBSET_DROP, cap);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	data[0].effective = data[0].permitted = set;
	data[1].effective = data[1].permitted = set >> 32;
	if (syscall(SYS_capset, &head, data) != 0)
		die("capset");
}

int main(int argc, char **argv)
{
	int i = 1;
	if (geteuid() != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		die("no_new_privs");
	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (!strcmp(argv[i], "no_new_privs"))
			prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		else if (strncmp(argv[i], "caps=", 5) != 0)
			deny(argv[i]);
	}
	for (int k = 1; k < i; k++) // only now: filters need CAP_SYS_ADMIN
		if (!strncmp(argv[k], "caps=", 5))
			limit(strtoull(argv[k] + 5, NULL, 16));
	if (i + 1 >= argc)
		return 99;
	execvp(argv[i + 1], argv + i + 1);
	die(argv[i + 1]);
}
