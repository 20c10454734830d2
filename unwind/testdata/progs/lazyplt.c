/* Built twice: with -DLIB a library whose function is chosen by an IFUNC resolver, which makes the mark. The
 * program binds it lazily, so the stack goes through a PLT stub and _dl_runtime_resolve. */
#include "mark.h"
#ifdef LIB
static int one(int n) { return n + 1; }
static void *choose(void) { mark(); KEEP; return one; }
int chosen(int n) __attribute__((ifunc("choose")));
#else
int chosen(int n);
__attribute__((noinline)) int caller(int n) { n = chosen(n) + 1; KEEP; return n; }
int main(void) { return caller(-2); }
#endif
