// memory_lies_coroutine: memory that looks like a coroutine's stack and is none: pages of makecontext's return address, that address
// alone at the top, copies of a stack, with its context and with one whose sizes lie, a stack that has become a buffer, a frame
// without the address above it.
#define _GNU_SOURCE
#include "lies.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define SIZE (256UL << 10)

static ucontext_t back, context;
ucontext_t copies[8], kept; // which nobody reads

__attribute__((noinline)) static void suspend(void)
{
	swapcontext(&context, &back);
}

static void runs(void)
{
	char text[100];
	snprintf(text, sizeof text, "%p", text);
	suspend();
	puts(text);
}

// run makes a coroutine on a stack, and runs it until it is suspended, which its context tells then.
static void run(char *stack)
{
	getcontext(&context);
	context.uc_stack.ss_sp = stack, context.uc_stack.ss_size = SIZE, context.uc_link = &back;
	makecontext(&context, runs, 0);
	swapcontext(&back, &context);
}

// frame is the return address into the function that runs on a stack.
static uint64_t frame(uint64_t *top)
{
	for (uint64_t *at = top - 1;; at--)
		if (*at > (uintptr_t)runs && *at < (uintptr_t)runs + 64)
			return *at;
}

static void *waits(void *arg)
{
	pthread_barrier_wait(arg);
	pause();
	return arg;
}

int main(void)
{
	char *real = mmap(0, SIZE + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	mprotect(real, 4096, PROT_NONE);
	run(real += 4096);
	uint64_t *top = (uint64_t *)(real + SIZE) - 3, start = top[0]; // where makecontext has put its return address

	uint64_t *p = own(4096, SIZE); // everywhere
	for (size_t i = 0; i < SIZE / 8; i++)
		p[i] = start;
	p = own(4096, SIZE); // where it should be, and nothing else
	p[SIZE / 8 - 3] = start;
	p = own(4096, SIZE); // the same in data
	memset(p, 'x', SIZE);
	p[SIZE / 8 - 3] = start;
	p = own(4096, SIZE); // addresses of itself, too
	for (size_t i = 0; i < SIZE / 8; i++)
		p[i] = (uintptr_t)(p + i);
	p[SIZE / 8 - 3] = start;

	p = own(4096, SIZE); // a return address, too, and not where the frame ends
	for (size_t i = 0; i < SIZE / 8; i++)
		p[i] = (uintptr_t)(p + i);
	p[SIZE / 8 - 3] = start;
	p[SIZE / 8 - 6] = context.uc_mcontext.gregs[REG_RIP];
	for (int i = 1; i < 4; i++)
		p[SIZE / 8 - 5 - 70 * i] = frame(top);

	for (int i = 0; i < 3; i++) // copies of a stack; as if there were more of that length
		memcpy(own(4096, SIZE), real, SIZE);
	for (int i = 0; i < 8; i++) { // copies with contexts that say that the stack is longer than all, or begins elsewhere
		char *q = (char *)own(4096, SIZE);
		memcpy(q, real, SIZE);
		copies[i] = context;
		uint64_t sp = i % 2 ? (uintptr_t)q - (1UL << (16 + 4 * i)) : i < 4 ? (uintptr_t)q + 8 : 0;
		copies[i].uc_stack.ss_sp = (void *)sp;
		copies[i].uc_stack.ss_size = i == 6 ? 1UL << 63 : (uintptr_t)q + SIZE - sp;
		copies[i].uc_mcontext.gregs[REG_RSP] = i % 2 ? context.uc_mcontext.gregs[REG_RSP] + (q - real) : i == 2 ? (long)q : 1L << 62;
	}

	char *buffer = (char *)own(4096, SIZE); // one that has lived here, and whose context is still there
	run(buffer);
	kept = context;
	memset(buffer, 'y', SIZE - 24); // but for the address

	p = own(4096, SIZE); // a frame that returns to nothing
	memcpy(p, real, SIZE);
	p[SIZE / 8 - 3] = 0;

	// A thread's stack in what was a coroutine's, below its top.
	pthread_t t;
	pthread_attr_t a;
	pthread_barrier_t made;
	char *both = mmap(0, 2 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	run(both + SIZE);
	pthread_attr_init(&a);
	pthread_attr_setstack(&a, both + SIZE / 2, SIZE);
	pthread_barrier_init(&made, 0, 2);
	printf("thread %lx %lx\n", (long)both + SIZE / 2, (long)both + SIZE / 2 + SIZE);
	if (pthread_create(&t, &a, waits, &made))
		return 1;
	pthread_barrier_wait(&made);
	run(real);
	return ready();
}
