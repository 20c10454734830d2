// memory_lies_thread: control blocks of threads that are none: copies of the real one that point to themselves and say that
// their stack is another mapping, all of the address space, or 2^63 bytes; lists of them that lead to each other.
#define _GNU_SOURCE
#include "lies.h"
#include <pthread.h>
#include <string.h>

#define BLOCK 0x900 // struct pthread of glibc 2.36
#define STACK (0x690 / 8)

// block makes a copy of the caller's control block, in memory of its own, whose stack is said to be [base, base+size).
static uint64_t *block(uint64_t base, uint64_t size, uint64_t guard)
{
	uint64_t *at = (uint64_t *)((char *)own(4096, 1 << 20) + (1 << 20) - 4096);
	memcpy(at, (void *)pthread_self(), BLOCK);
	at[0] = at[2] = (uintptr_t)at;
	at[STACK] = base, at[STACK + 1] = size, at[STACK + 2] = guard;
	return at;
}

static void *worker(void *arg)
{
	uint64_t *other = own(4096, 16 << 20);
	block((uintptr_t)other, 16 << 20, 4096);
	block(0, 1UL << 47, 0);
	block((uintptr_t)other, 1UL << 63, 0);
	block(1UL << 63, 1UL << 63, 1UL << 63);
	uint64_t *a = block((uintptr_t)other, 16 << 20, 0), *b = block((uintptr_t)other, 16 << 20, 0);
	for (int i = 0; i < BLOCK / 8; i++) // wherever the list stands, it leads from one to the other
		if (i > 2 && (i < STACK || i > STACK + 2))
			a[i] = (uintptr_t)&b[i], b[i] = (uintptr_t)&a[i];
	pthread_barrier_wait(arg);
	pause();
	return arg;
}

int main(void)
{
	pthread_t t;
	pthread_barrier_t made;
	pthread_barrier_init(&made, 0, 2);
	pthread_create(&t, 0, worker, &made);
	pthread_barrier_wait(&made);
	return ready();
}
