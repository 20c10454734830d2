/* A constructor: main has not begun, and the stack's end is the dynamic loader's entry. */
#include "mark.h"
__attribute__((noinline)) void inner(void) { mark(); KEEP; }
__attribute__((constructor)) static void early(void) { inner(); KEEP; }
int main(void) { return 0; }
