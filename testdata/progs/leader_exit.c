// leader_exit: the thread-group leader exits, the others go on mapping. The leader's own /proc/PID/maps is
// empty from then on.
#define _GNU_SOURCE
#include "account.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static pthread_t others[2];

static int leader_gone(void)
{
	char path[64], stat[256];
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
	int fd = open(path, O_RDONLY);
	long n = fd < 0 ? 0 : read(fd, stat, sizeof stat - 1);
	close(fd);
	stat[n > 0 ? n : 0] = 0;
	char *state = strrchr(stat, ')');
	return state && state[2] == 'Z';
}

NOINLINE static void before_leader_left(void) { MAP_ANON_RW(2 * PAGE); }
NOINLINE static void after_leader_left(void) { MAP_ANON_RW(5 * PAGE); }

NOINLINE static void *survivor(void *arg)
{
	while (!leader_gone())
		usleep(1000);
	after_leader_left();
	if (arg) {
		pthread_join(others[0], NULL);
		acc_end(0);
	}
	return NULL;
}

int main(void)
{
	acc_begin("leader_exit");
	before_leader_left();
	if (pthread_create(&others[0], NULL, survivor, NULL) != 0 || pthread_create(&others[1], NULL, survivor, others) != 0)
		return 1;
	pthread_exit(NULL);
}
