// How long a program's work took, for bench.sh: where the environment has TOOK, a file, the microseconds are written there.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct timespec took_begun;

static inline void took_begin(void) { clock_gettime(CLOCK_MONOTONIC, &took_begun); }

// took_end returns the exit status.
static inline int took_end(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	const char *file = getenv("TOOK");
	if (!file)
		return 0;
	FILE *out = fopen(file, "w");
	if (!out)
		return 1;
	fprintf(out, "%ld\n", (now.tv_sec - took_begun.tv_sec) * 1000000 + (now.tv_nsec - took_begun.tv_nsec) / 1000);
	return fclose(out) != 0;
}
