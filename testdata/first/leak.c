// A server that forgets a buffer with every request, and uses a large one for a while with every tenth.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static void nap(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static char *buffer_new(size_t n)
{
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, 64 << 10);
	return p;
}

static void scratch(void)
{
	void *p = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	nap(20);
	munmap(p, 64 << 20);
}

static void handle_request(int i)
{
	buffer_new(1 << 20)[0] = 2;
	if (i % 10 == 0)
		scratch();
}

int main(int argc, char **argv)
{
	int requests = argc > 1 ? atoi(argv[1]) : 100;

	for (int i = 0; i < requests; i++) {
		handle_request(i);
		nap(20);
	}
	return 0;
}
