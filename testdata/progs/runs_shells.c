// Runs shells that start programs of their own, while a thread waits: none of them is to be followed under --no-follow.
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static int ends[2];

static void *waits(void *unused)
{
	char c;
	return read(ends[0], &c, 1) == 1 ? unused : NULL;
}

int main(void)
{
	pthread_t t;
	int status = pipe(ends) || pthread_create(&t, NULL, waits, NULL);
	for (int i = 0; i < 5; i++)
		status |= system("/bin/true; true");
	status |= write(ends[1], "", 1) != 1;
	pthread_join(t, NULL);
	return status;
}
