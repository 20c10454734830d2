// daemon: leaves a child in a session of its own that outlives it, and ends with 6. The child maps and unmaps until its
// parent has gone and twenty more times, with a wait between them, and then writes "unharmed" to the file argv[1]; or what a
// call did that it should not.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int out;

static void say(const char *what, const char *why)
{
	dprintf(out, "%s%s\n", what, why);
	_exit(1);
}

int main(int argc, char **argv)
{
	pid_t parent = getpid(), child;
	int after = 0;
	if (argc < 2 || (out = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600)) < 0 || (child = fork()) < 0)
		return 1;
	if (child > 0)
		return 6;
	setsid();
	while (after < 20) {
		char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			say("mmap: ", strerror(errno));
		memset(p, 1, 8192);
		if (munmap(p, 8192) != 0)
			say("munmap: ", strerror(errno));
		if (poll(NULL, 0, 2) != 0)
			say("poll: ", strerror(errno));
		after += getppid() != parent;
	}
	say("unharmed", "");
}
