// Functions of every shape that names must come through: templates, lambdas, inlining, classes in an
// unnamed namespace, constructors, a virtual destructor, a cold part, a local class.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#define ALWAYS __attribute__((always_inline)) inline
#define NEVER __attribute__((noinline))

namespace shop {
template <typename T, int N> struct Box {
	T item;
	ALWAYS T weigh(T by) const { return pack(item * by) + N; }
	ALWAYS static T pack(T v) { return v ^ static_cast<T>(v >> 3); }
	NEVER T price(T by) {
		T sum = 0;
		for (T i = 0; i < by; i++)
			sum += weigh(i);
		return sum;
	}
};

class Shelf {
public:
	NEVER explicit Shelf(int n) : boxes(n) {}
	NEVER virtual ~Shelf() { std::printf("%zu\n", boxes.size()); }
	virtual int total() const;
	std::vector<Box<int, 7>> boxes;
};

NEVER int Shelf::total() const {
	int sum = 0;
	for (auto &b : boxes)
		sum += b.weigh(2);
	return sum;
}
} // namespace shop

namespace {
struct Hidden {
	int n;
	NEVER int bump(int by) { return n += by * 3; }
	NEVER int operator()(int x) const { return x + n; }
};
NEVER int apply(const std::function<int(int)> &f, int x) { return f(x) + 1; }
} // namespace

NEVER static int rare(int n) {
	if (__builtin_expect(n > 1000, 0)) {
		std::fprintf(stderr, "too many: %d\n", n);
		throw std::runtime_error("too many " + std::to_string(n));
	}
	return n * 2;
}

extern "C" NEVER int plain_c(int n) { return rare(n) + 1; }

int main(int argc, char **argv) {
	shop::Shelf shelf(argc + 3);
	shop::Box<long, 3> big{argc};
	Hidden h{argc};
	std::map<std::string, int> counts;
	for (int i = 0; i < argc; i++)
		counts[argv[i]] += i;
	auto twice = [&](int x) { return h.bump(x) + (int)counts.size(); };
	struct Local {
		NEVER static int go(int x) { return x - 5; }
	};
	int out = apply(twice, argc) + apply(h, 2) + apply([](int x) { return Local::go(x); }, 9);
	try {
		out += plain_c(argc * 10);
	} catch (const std::exception &e) {
		std::puts(e.what());
	}
	std::printf("%d %ld %d\n", out, big.price(argc), shelf.total());
	return 0;
}
