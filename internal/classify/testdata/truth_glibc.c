// Says on standard output what its memory is, as the C library and the program itself know it, and dies.
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int zeroed[50000];
static int initialised[5000] = {1};
static const char constants[5000] = {1};
static int *const relocated[2000] = {&zeroed[1], &initialised[1]};

static pthread_barrier_t barrier;
static pthread_mutex_t out = PTHREAD_MUTEX_INITIALIZER;

static void range(const char *kind, const void *start, size_t length, int tid) {
  pthread_mutex_lock(&out);
  printf("range %s %#lx %#lx %d\n", kind, (uintptr_t)start, (uintptr_t)start + length, tid);
  pthread_mutex_unlock(&out);
}

// large tells of an allocation with a mapping of its own: what its chunk's header says (malloc/malloc.c).
static void *large(void *p) {
  size_t size = ((size_t *)p)[-1];
  if (size & 2) {
    uintptr_t chunk = (uintptr_t)p - 16 - ((size_t *)p)[-2];
    range("glibc-large", (void *)chunk, (size & ~(size_t)7) + ((size_t *)p)[-2], 0);
  }
  return p;
}

static void *work(void *arg) {
  int tid = syscall(SYS_gettid);
  pthread_attr_t attr;
  void *stack;
  size_t size, guard;
  pthread_getattr_np(pthread_self(), &attr);
  pthread_attr_getstack(&attr, &stack, &size);
  pthread_attr_getguardsize(&attr, &guard);
  pthread_attr_destroy(&attr);
  range("thread-stack", stack, size, tid);
  range("stack-guard", (char *)stack - guard, guard, tid);
  char *p = malloc(1000);
  range("glibc-arena", (void *)((uintptr_t)p & ~((64UL << 20) - 1)), 64 << 20, tid);
  large(malloc(1 << 20));
  pthread_barrier_wait(&barrier);
  pause();
  return arg;
}

static void *brief(void *arg) { return arg; }

int main(void) {
  pthread_t t;
  for (int i = 0; i < 2; i++) { // their stack is kept and used again
    pthread_create(&t, 0, brief, 0);
    pthread_join(t, 0);
  }
  pthread_barrier_init(&barrier, 0, 4);
  for (int i = 0; i < 3; i++) pthread_create(&t, 0, work, 0);
  pthread_barrier_wait(&barrier);

  int local = 0;
  range("main-stack", &local, 1, getpid());
  range("heap", malloc(100), 100, 0);
  range("elf-text", (void *)main, 1, 0);
  range("elf-bss", zeroed + 10000, sizeof zeroed - 90000, 0);
  range("elf-data", initialised + 1000, 4096, 0);
  range("elf-rodata", constants + 100, 4000, 0);
  range("elf-relro", relocated + 10, 8000, 0);
  range("vdso", (void *)getauxval(AT_SYSINFO_EHDR), 1, 0);
  range("direct", mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1 << 20, 0);
  range("reserved", mmap(0, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1 << 20, 0);
  range("shm-anon", mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), 1 << 20, 0);
  int fd = memfd_create("truth", 0);
  if (ftruncate(fd, 8192) != 0) return 1;
  range("memfd", mmap(0, 8192, PROT_READ, MAP_SHARED, fd, 0), 8192, 0);

  large(malloc(5 << 20));
  large(calloc(1, 700000));
  large(memalign(1 << 20, 300000));
  large(realloc(malloc(400000), 3000000));
  free(malloc(200000));
  printf("sum glibc-large %zu\n", mallinfo2().hblkhd);
  fflush(stdout);
  kill(getpid(), SIGKILL);
}
