// What memory is, for the test to hold against the answers: a line "is START END KIND LABEL" on standard output
// says that vmblame must call all of that memory so; "not START END KIND" that it must not, "never WORD" that no
// answer has the word. KIND may be several with "|" between them.
#ifndef TRUTH_H
#define TRUTH_H
#include <stddef.h>
#include <stdio.h>

__attribute__((unused)) static void is(const void *p, size_t n, const char *kind, const char *label)
{
	printf("is %#lx %#lx %s %s\n", (unsigned long)p, (unsigned long)p + n, kind, label);
	fflush(stdout);
}
#endif
