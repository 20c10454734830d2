// peak OUT PROGRAM [ARG...]: runs PROGRAM and writes to the file OUT: wall time and processor time (its own and
// that of the children it waited for) in microseconds, the peak resident memory in KiB of the largest of them,
// and the exit status.
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct timespec a, b;
	struct rusage ru;
	int status;
	if (argc < 3)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &a);
	pid_t child = fork();
	if (child == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	if (wait4(child, &status, 0, &ru) != child)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &b);
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	FILE *out = fopen(argv[1], "w");
	if (!out)
		return 1;
	fprintf(out, "%ld %ld %ld %d\n", (b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000,
		(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 + ru.ru_utime.tv_usec + ru.ru_stime.tv_usec,
		ru.ru_maxrss, code);
	return fclose(out) != 0;
}
