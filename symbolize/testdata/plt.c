// Calls through the procedure linkage table; puts through the global offset table as well.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int (*volatile say)(const char *) = puts;

int main(int argc, char **argv) {
	char *p = malloc(argc * 10 + 1);
	strcpy(p, argv[0]);
	say(p);
	puts(p);
	free(p);
	return atoi(argv[argc - 1]) + (int)strlen(argv[0]);
}
