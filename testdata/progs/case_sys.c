// case_sys: the library of the investigated case, luaclib/sys.so: somewhat larger than a page or two.
static char buffer[300 * 1024];
const char table[40 * 1024] = {1};

__attribute__((noinline)) int luaopen_sys(int n)
{
	buffer[n] = table[n];
	return buffer[n];
}
