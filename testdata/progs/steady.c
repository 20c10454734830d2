// steady: two threads map, protect and unmap, fork and wait, for as many rounds as argv[1] says, and watch what happens to
// them: a call that ends with EINTR, a wait that lasts no time, memory that is not what was written, a child that ends
// otherwise. Says "ready", then "steady" and ends with 7; or what went wrong, and ends with 1.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
static int rounds;
static void bad(const char *what) { printf("%s: %s\n", what, strerror(errno)); fflush(stdout); _exit(1); }
static void map_round(int i) {
    size_t len = 4096 * (1 + i % 7);
    char *p = mmap(0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) bad("mmap");
    memset(p, i, len);
    if (mprotect(p, 4096, PROT_READ)) bad("mprotect");
    if (p[0] != (char)i || p[len - 1] != (char)i) bad("memory");
    if (munmap(p, len)) bad("munmap");
}
static void *other(void *arg) {
    (void)arg;
    for (int i = 0; i < rounds; i++) {
        struct timespec ms = {0, 1000000}, left = {0, 0};
        map_round(i);
        if (nanosleep(&ms, &left)) bad("nanosleep");
    }
    return 0;
}
int main(int argc, char **argv) {
    rounds = argc > 1 ? atoi(argv[1]) : 100;
    puts("ready");
    fflush(stdout);
    pthread_t t;
    if (pthread_create(&t, 0, other, 0)) bad("thread");
    for (int i = 0; i < rounds; i++) {
        map_round(i);
        if (poll(0, 0, 1) != 0) bad("poll");
        if (i % 10 == 0) {
            pid_t p = fork();
            int st;
            if (p == 0) { map_round(i); _exit(3); }
            if (p < 0 || waitpid(p, &st, 0) != p) bad("wait");
            if (!WIFEXITED(st) || WEXITSTATUS(st) != 3) bad("child");
        }
    }
    pthread_join(t, 0);
    puts("steady");
    return 7;
}
