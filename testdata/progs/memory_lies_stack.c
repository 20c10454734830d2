// memory_lies_stack: what has return addresses where a coroutine's stack has them, and is none: records with calls that somebody
// has listed, beside functions and pointers to each other, up to the end of memory with a guard; what somebody has saved of a stack, beside a list; stacks that
// have been moved; stacks on which signals are handled.
#define _GNU_SOURCE
#include "lies.h"
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define SIZE (256UL << 10)
#define CALLS 8

struct record {
	struct record *next, *before;
	void *calls[CALLS];
	void (*f)(void);
};

static ucontext_t back, context;

__attribute__((noinline)) static void suspend(char *text)
{
	*text = 1;
	swapcontext(&context, &back);
}

static void runs(void)
{
	char text[64];
	suspend(text);
	puts(text);
}

static void run(char *stack)
{
	getcontext(&context);
	context.uc_stack.ss_sp = stack, context.uc_stack.ss_size = SIZE, context.uc_link = &back;
	makecontext(&context, runs, 0);
	swapcontext(&back, &context);
	memset(&context, 0, sizeof context);
}

__attribute__((noinline)) static int list(int depth, void **calls)
{
	char text[40];
	memset(text, depth, sizeof text);
	return depth ? list(depth - 1, calls) + text[3] : backtrace(calls, CALLS);
}

static pthread_barrier_t handled;

static void handles(int sig)
{
	char text[100];
	snprintf(text, sizeof text, "%d", sig);
	pthread_barrier_wait(&handled);
	pause();
}

static void *signalled(void *stack)
{
	stack_t on = {.ss_sp = stack, .ss_size = SIZE};
	struct sigaction act = {.sa_handler = handles, .sa_flags = SA_ONSTACK};
	sigaltstack(&on, 0);
	sigaction(SIGUSR1, &act, 0);
	raise(SIGUSR1);
	return stack;
}

int main(void)
{
	char *real = mmap(0, SIZE + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(real, 4096, PROT_NONE);
	run(real += 4096);
	uint64_t start = ((uint64_t *)(real + SIZE))[-3];

	for (int i = 0; i < 18; i++) { // with the last record at different distances from the end
		char *p = (char *)own(4096, SIZE);
		for (struct record *r = (struct record *)(p + SIZE - 8 * (i / 3)) - 1; (char *)r > p + SIZE - 12000; r--) {
			r->next = r + 1, r->before = r - 1;
			list(i % 6, r->calls);
			for (int k = 0; i % 2 && k < CALLS / 2; k++) {
				void *call = r->calls[k];
				r->calls[k] = r->calls[CALLS - 1 - k], r->calls[CALLS - 1 - k] = call;
			}
			r->f = i % 3 == 0 ? (void (*)(void))start : i % 3 == 1 ? runs : abort;
		}
	}
	for (int i = 0; i < 4; i++) {
		char *p = (char *)own(4096, SIZE);
		uint64_t *head = (uint64_t *)(i % 2 ? p : p + SIZE - 6000);
		memcpy(p + SIZE - 4096, real + SIZE - 4096, 4096);
		head[0] = head[1] = (uintptr_t)head;
	}
	for (int i = 0; i < 2; i++) {
		char *p = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		run(p);
		mremap(p, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, own(4096, SIZE));
	}
	pthread_barrier_init(&handled, 0, 2);
	for (int i = 0; i < 2; i++) {
		pthread_t t;
		pthread_create(&t, 0, signalled, own(4096, SIZE));
		pthread_barrier_wait(&handled);
	}
	return ready();
}
