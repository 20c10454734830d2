// group_signal: a program sends SIGUSR1 (or the signal of argv[1]) to its own process group, and handles it.
// Untraced it prints "handled N" and ends with 0.  A tracer that lives in the same process group gets the signal too.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static volatile sig_atomic_t got;
static void on(int s) { got = s; }
int main(int argc, char **argv) {
    int s = argc > 1 ? atoi(argv[1]) : SIGUSR1;
    signal(s, on);
    kill(0, s);
    printf("handled %d\n", (int)got);
    puts("done");
    return 0;
}
