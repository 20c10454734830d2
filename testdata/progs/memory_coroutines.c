// memory_coroutines: coroutines by makecontext, and by a copy of what Boost.Context has; then it waits for its standard input to close.
//   stack START END     mapped for a coroutine that is suspended
//   ended START END     the same, whose function has returned
//   fresh START END     the same, of one that has never run
//   guard START END     the inaccessible page below one of these
//   large START END     a chunk of malloc's in which a coroutine lives
//   slice START END     a stack that is a part of what was mapped
//   aligned START END   memory of malloc's at a multiple of a page, in which a coroutine lives
//   mine START END      mapped for something else
//   ready
// Stacks that are mapped alone are so with MAP_STACK.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096UL

static ucontext_t back, contexts[64];
static int used;

__attribute__((noinline)) static void suspend(int i)
{
	int here = i;
	swapcontext(&contexts[i], &back);
	if (here != i) // a use of the stack behind the call
		abort();
}

static void runs(int i)
{
	char text[100];
	snprintf(text, sizeof text, "coroutine %d", i);
	suspend(i);
	puts(text);
}

static void returns(int i)
{
	contexts[i].uc_link = &back;
}

static char *map(size_t guard, size_t size, int flags, const char *word)
{
	char *p = mmap(0, guard + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	if (guard) {
		mprotect(p, guard, PROT_NONE);
		printf("guard %lx %lx\n", (long)p, (long)p + guard);
	}
	printf("%s %lx %lx\n", word, (long)p + guard, (long)p + guard + size);
	return p + guard;
}

// make makes a coroutine on a stack, and runs it until it is suspended or has returned.
static void make(char *stack, size_t size, void (*f)(int), int run)
{
	ucontext_t *u = &contexts[used];
	getcontext(u);
	u->uc_stack.ss_sp = stack, u->uc_stack.ss_size = size, u->uc_link = &back;
	makecontext(u, (void (*)(void))f, 1, used++);
	if (run)
		swapcontext(&back, u);
}

// What Boost.Context does on x86-64, as far as its stacks show it: the context is on the stack.
void *make_context(void *top, size_t size, void (*f)(void *, void *));
struct transfer { void *from, *data; } jump_context(void *to, void *data);
__asm__(".text\n"
	"make_context:\n"
	"	mov %rdi, %rax\n	and $-16, %rax\n	lea -0x40(%rax), %rax\n"
	"	mov %rdx, 0x28(%rax)\n	stmxcsr (%rax)\n	fnstcw 4(%rax)\n"
	"	lea 1f(%rip), %rcx\n	mov %rcx, 0x38(%rax)\n	lea 2f(%rip), %rcx\n	mov %rcx, 0x30(%rax)\n	ret\n"
	"1:	push %rbp\n	jmp *%rbx\n"
	"2:	xor %rdi, %rdi\n	call _exit@PLT\n	hlt\n"
	"jump_context:\n"
	"	lea -0x38(%rsp), %rsp\n	stmxcsr (%rsp)\n	fnstcw 4(%rsp)\n"
	"	mov %r12, 8(%rsp)\n	mov %r13, 0x10(%rsp)\n	mov %r14, 0x18(%rsp)\n	mov %r15, 0x20(%rsp)\n	mov %rbx, 0x28(%rsp)\n	mov %rbp, 0x30(%rsp)\n"
	"	mov %rsp, %rax\n	mov %rdi, %rsp\n	mov 0x38(%rsp), %r8\n	ldmxcsr (%rsp)\n	fldcw 4(%rsp)\n"
	"	mov 8(%rsp), %r12\n	mov 0x10(%rsp), %r13\n	mov 0x18(%rsp), %r14\n	mov 0x20(%rsp), %r15\n	mov 0x28(%rsp), %rbx\n	mov 0x30(%rsp), %rbp\n"
	"	lea 0x40(%rsp), %rsp\n	mov %rsi, %rdx\n	mov %rax, %rdi\n	jmp *%r8\n");

static void fiber(void *from, void *data)
{
	char text[100];
	snprintf(text, sizeof text, "fiber %p", data);
	struct transfer t = jump_context(from, text);
	puts(t.data);
	abort();
}

int main(void)
{
	const size_t size = 512 << 10;
	char c;
	for (int i = 0; i < 5; i++)
		make(map(PAGE, size, MAP_STACK, "stack"), size, runs, 1);
	for (int i = 0; i < 2; i++)
		make(map(PAGE, size, MAP_STACK, "ended"), size, returns, 1);
	make(map(PAGE, size, MAP_STACK, "fresh"), size, runs, 0);
	make(map(2 * PAGE, 2 * size, MAP_STACK, "stack"), 2 * size, runs, 1); // the only one of this length
	make(map(0, size, MAP_STACK, "stack"), size, runs, 1);               // without a guard
	char *p = mmap(0, 4 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 4; i++) { // side by side
		printf("slice %lx %lx\n", (long)p + i * size, (long)p + (i + 1) * size);
		make(p + i * size, size, runs, 1);
	}
	p = mmap(0, 8 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); // behind something else
	memset(p, 1, size);
	printf("mine %lx %lx\n", (long)p, (long)p + 7 * (long)size);
	printf("slice %lx %lx\n", (long)p + 7 * size, (long)p + 8 * size);
	make(p + 7 * size, size, runs, 1);
	p = malloc(300 << 10);
	printf("large %lx %lx\n", (long)p - 16, (long)p - 16 + (((long *)p)[-1] & -8));
	make(p, 300 << 10, runs, 1);
	for (int i = 0; i < 3; i++) { // the last two with guards
		p = aligned_alloc(PAGE, 3 * size / 2);
		printf("aligned %lx %lx\n", (long)p, (long)p + 3 * (long)size / 2);
		if (i > 0)
			mprotect(p, PAGE, PROT_NONE);
		make(p, 3 * size / 2, runs, 1);
	}
	for (int i = 0; i < 3; i++) {
		p = map(PAGE, 3 * size, MAP_STACK, "stack");
		jump_context(make_context(p + 3 * size, 3 * size, fiber), 0);
	}
	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
