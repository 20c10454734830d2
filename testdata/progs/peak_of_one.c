// Maps 10 MiB, then has a child that maps 30 MiB more and ends before it: the most that each had is its own.
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void *block(size_t n) { return memset(mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, n); }

int main(void)
{
	block(10 << 20);
	pid_t child = fork();
	if (!child) {
		block(30 << 20);
		_exit(0);
	}
	return waitpid(child, NULL, 0) != child;
}
