/* mark() makes the system call at which the tests unwind: an mmap of a length that nobody else asks for. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stddef.h>
#include <sys/mman.h>
#define MARK 0x7ab1000
static inline __attribute__((always_inline)) void mark(void) {
	mmap(NULL, MARK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}
#define KEEP __asm__ volatile("" ::: "memory")
