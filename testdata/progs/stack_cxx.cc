// stack_cxx: a constructor before main, virtual calls, templates, lambdas, and a destructor that runs while an
// exception unwinds the stack.
#include "stack.h"
#include <stdexcept>

namespace shop {

struct Shape {
	virtual ~Shape() {}
	virtual int area(int n) = 0;
};

template <typename T> struct Box : Shape {
	T side;
	explicit Box(T s) : side(s) {}
	NOINLINE int area(int n) override
	{
		ENTER;
		int ret = n > 0 ? area(n - 1) : mark(360) != mark_raw(361);
		LEAVE;
		return ret;
	}
};

struct OnTheWay {
	NOINLINE ~OnTheWay()
	{
		ENTER; // called by the unwinder's landing pad
		mark(362);
		LEAVE;
	}
};

NOINLINE void thrower(int n)
{
	if (n > 0)
		return thrower(n - 1);
	throw std::runtime_error("on purpose");
}

NOINLINE int guarded(int n)
{
	ENTER;
	OnTheWay cleanup;
	thrower(n);
	LEAVE;
	return n;
}

NOINLINE int catcher(int n)
{
	ENTER;
	int depth = shadow.depth;
	try {
		guarded(n);
	} catch (const std::exception &) {
		shadow.depth = depth;
		mark(363);
	}
	LEAVE;
	return n;
}

struct BeforeMain {
	NOINLINE BeforeMain()
	{
		acc_begin("stack_cxx");
		ENTER;
		mark(364);
		LEAVE;
	}
};

static BeforeMain before_main;

} // namespace shop

int main()
{
	ENTER;
	shop::Box<double> box(2);
	shop::Shape *volatile shape = &box;
	shape->area(3);
	shop::catcher(2);
	auto lambda = [](unsigned long n) __attribute__((noinline)) {
		ENTER;
		mark(n);
		LEAVE;
	};
	lambda(365);
	LEAVE;
	acc_end(0);
}
