// big_argv: executes itself 50 times with 1 MiB of arguments, as xargs and link steps of large builds do.
// A log with all of it would have 50 MiB.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 50;
    if (!n) { puts("done"); return 0; }
    static char *a[1100], num[12], arg[1025];
    memset(arg, 'x', 1024);
    snprintf(num, sizeof num, "%d", n - 1);
    a[0] = argv[0]; a[1] = num;
    for (int i = 2; i < 1026; i++) a[i] = arg;
    execv("/proc/self/exe", a);
    perror("execv");
    return 1;
}
