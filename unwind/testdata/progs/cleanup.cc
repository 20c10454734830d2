// A destructor that runs while an exception passes: the stack goes through _Unwind_RaiseException's second
// phase and the landing pad of a frame that is left half way.
#include <stdexcept>
#include "mark.h"
struct Guard { ~Guard(); };
__attribute__((noinline)) Guard::~Guard() { mark(); KEEP; }
__attribute__((noinline)) void thrower(int n) { if (n > 0) throw std::runtime_error("x"); KEEP; }
__attribute__((noinline)) void middle(int n) { Guard g; thrower(n); KEEP; }
int main(int argc, char **) {
	try { middle(argc); } catch (const std::exception &) { return 0; }
	return 1;
}
