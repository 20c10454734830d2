// Allocates with the jemalloc that has been preloaded, says what its statistics are, and dies.
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int (*mallctl)(const char *, void *, size_t *, void *, size_t);

static size_t stat_of(const char *name) {
  size_t value = 0, size = sizeof value;
  if (mallctl(name, &value, &size, 0, 0) != 0) exit(1);
  return value;
}

static pthread_barrier_t barrier;

static void *work(void *arg) {
  for (int i = 0; i < 5000; i++) memset(malloc(300), 1, 300);
  memset(malloc(3 << 20), 1, 1 << 20);
  pthread_barrier_wait(&barrier);
  pause();
  return arg;
}

int main(void) {
  mallctl = dlsym(RTLD_DEFAULT, "mallctl");
  if (!mallctl) return 1;
  setvbuf(stdout, malloc(4096), _IOFBF, 4096);
  pthread_barrier_init(&barrier, 0, 4);
  pthread_t t;
  for (int i = 0; i < 3; i++) pthread_create(&t, 0, work, 0);
  for (int i = 0; i < 50000; i++) memset(malloc(100), 1, 100);
  memset(malloc(9 << 20), 1, 1 << 20);
  pthread_barrier_wait(&barrier);
  unsigned long long epoch = 1;
  size_t size = sizeof epoch;
  mallctl("epoch", &epoch, &size, &epoch, size);
  // With nothing dirty (MALLOC_CONF), what is mapped and not active are the blocks of base.c.
  size_t mapped = stat_of("stats.mapped"), active = stat_of("stats.active"), retained = stat_of("stats.retained");
  printf("sum jemalloc-own %zu\nsum jemalloc %zu\n", mapped - active, active + retained);
  fflush(stdout);
  kill(getpid(), SIGKILL);
}
