// Maps 50 MiB, touches all of it, and gives it back before the end: at the peak nobody has counted what of it was in memory.
#include <string.h>
#include <sys/mman.h>

__attribute__((noinline)) static char *work_buffer(void) { return memset(mmap(NULL, 50 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 50 << 20); }

int main(void) { return munmap(work_buffer(), 50 << 20); }
