package callers

import "testing"

// TestChainText holds that a chain fits its column and that what must stay stays.
func TestChainText(t *testing.T) {
	c := Chain{Calls: []string{"fopen", "luaL_loadfilex", "silly_worker_start", "thread_worker"}, Keep: 2}
	for width, want := range map[int]string{
		0:  "fopen < luaL_loadfilex < silly_worker_start < thread_worker",
		59: "fopen < luaL_loadfilex < silly_worker_start < thread_worker",
		58: "fopen < luaL_loadfilex < silly_worker_start < ...",
		48: "fopen < luaL_loadfilex < ... < thread_worker",
		43: "fopen < luaL_loadfilex < ...",
		20: "luaL_loadfilex < ...",
		3:  "luaL_loadfilex < ...",
	} {
		if got := c.Text(width); got != want {
			t.Errorf("width %d: %q, want %q", width, got, want)
		}
	}
}

func TestOwn(t *testing.T) {
	for module, want := range map[string]bool{
		"/usr/bin/python3.11":                 true, // the executable
		"/usr/lib/x86_64-linux-gnu/libc.so.6": false,
		"/lib64/ld-linux-x86-64.so.2":         false,
		"/opt/musl/ld-musl-x86_64.so.1":       false,
		"/home/me/luaclib/sys.so":             true,
		"[vdso]":                              false,
		"[anon]":                              true,
		"/usr/lib/python3/dist-packages/x.cpython-311-x.so": false,
	} {
		if got := isOwn(Named(module), "/usr/bin/python3.11", nil); got != want {
			t.Errorf("isOwn(%q) = %v", module, got)
		}
	}
	if !isOwn(Named("/usr/lib/jvm/bin/java"), "/usr/lib/jvm/bin/java", nil) {
		t.Error("an executable below /usr/lib is not its own code")
	}
}

func TestBare(t *testing.T) {
	for name, want := range map[string]string{
		"main": "main", "os::reserve(char*, unsigned long)": "os::reserve", "f(int) [clone .part.0]": "f",
		"std::function<void (int)>::operator()(int) const": "std::function<void (int)>::operator()",
		"(anonymous namespace)::g(int)":                    "(anonymous namespace)::g", "a::(anonymous namespace)::g(int)": "a::(anonymous namespace)::g",
		"main.(*T).Run": "main.(*T).Run", "runtime.main.func1": "runtime.main.func1", "<alloc::vec::Vec<T> as Clone>::clone": "<alloc::vec::Vec<T> as Clone>::clone",
	} {
		if got := Bare(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestWithoutGenerics(t *testing.T) {
	for name, want := range map[string]string{
		"main": "main", "std::vector<int, std::allocator<int> >::push_back": "std::vector<..>::push_back",
		"<hashbrown::raw::RawTable<(u32, Vec<u8>)>>::reserve_rehash::<f::{closure#1}>": "<hashbrown::raw::RawTable<..>>::reserve_rehash::<..>",
		"<T as core::ops::Fn<A>>::call": "<T as core::ops::Fn<..>>::call", "operator<<": "operator<<", "f<void (*)() -> int>::g": "f<..>::g",
	} {
		if got := withoutGenerics(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
