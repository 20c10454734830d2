// Code for i386 that needs no header and no library: inlined calls, a clone, and stubs of the linkage table.
int outside(int), printf_like(const char *, ...), chosen_outside(int);
int (*volatile taken)(int) = chosen_outside;

static inline int once(int x) { return x * 7 + (x >> 2); }
static inline int twice(int x)
{
	int s = 0;
	for (int i = 0; i < x % 9; i++)
		s += once(i + x);
	return s;
}

__attribute__((noinline)) static long clonable(long a, long b)
{
	long r = 0;
	for (long i = 0; i < a; i++)
		r += outside(b * i);
	return r;
}

int _start(int x)
{
	if (__builtin_expect(x > 1000, 0))
		printf_like("%d", x);
	return twice(outside(x)) + chosen_outside(x) + clonable(x, 7) + clonable(x + 1, 7) + taken(x);
}
