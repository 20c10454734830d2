/* A thread of pthread_create, and qsort between two functions of the program. */
#include <pthread.h>
#include <stdlib.h>
#include "mark.h"
static int compare(const void *a, const void *b) { mark(); KEEP; return *(int *)a - *(int *)b; }
static void *body(void *arg) {
	int v[] = {3, 1, 2};
	qsort(v, 3, sizeof *v, compare);
	KEEP;
	return 0;
}
int main(void) {
	pthread_t t;
	pthread_create(&t, 0, body, 0);
	pthread_join(t, 0);
	return 0;
}
