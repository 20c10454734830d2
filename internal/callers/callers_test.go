package callers

import (
	"strings"
	"testing"
)

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

// TestSpoken holds how a chain is told, and that the first of the program's own stays.
func TestSpoken(t *testing.T) {
	const vector, invoke, handler = "std::vector<char, std::allocator<char> >::resize", "std::__invoke_impl<void, main::{lambda(int)#1}&, int>", "std::_Function_handler<void (int), main::{lambda(int)#1}>::_M_invoke"
	for _, c := range []struct {
		calls []string
		keep  int
		want  string
	}{
		{[]string{vector, "Loader::load", "main"}, 2, "std::vector::resize < Loader::load < main"},
		{[]string{vector, "main::{lambda(int)#1}::operator()", invoke, invoke, handler, "std::function<void (int)>::operator()", "run", "main"}, 2,
			"std::vector::resize < main::{lambda#1} < std::function < run < main"},
		{[]string{"f", "eval", "eval", "main"}, 1, "f < eval < eval < main"},
		{[]string{"f", "eval", "eval", "eval", "(7 frames)", "eval", "eval", "eval", "main"}, 1, "f < eval (3 times) < (7 frames) < eval (3 times) < main"},
		{[]string{invoke, "f"}, 1, "std::invoke < f"},
		{[]string{"std::__1::vector<int>::push_back", "g"}, 2, "std::vector::push_back < g"},
		{[]string{"Pool<std::pair<int, int>>::fill", "g"}, 1, "Pool<std::pair<int, int>>::fill < g"},
		{[]string{"X<main::{lambda()#1}>::run"}, 1, "X<main::{lambda()#1}>::run"},
	} {
		chain := Chain{c.calls, c.keep}
		if got := chain.Text(0); got != c.want {
			t.Errorf("%v: %s, want %s", c.calls, got, c.want)
		}
		if got := chain.Text(1); got == "" {
			t.Errorf("%v: nothing in a narrow column", c.calls)
		}
		if whole := chain.Whole(); whole != strings.Join(c.calls, " < ") {
			t.Errorf("%v: %s", c.calls, whole)
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
		"main::{lambda()#2}::operator()() const": "main::{lambda()#2}::operator()", "f(int) const::{lambda(int)#1}::operator()(int) const": "f::{lambda(int)#1}::operator()",
		"void std::__invoke_impl<void, main::{lambda()#2}>(std::__invoke_other, main::{lambda()#2}&&)": "std::__invoke_impl<void, main::{lambda()#2}>",
		"std::enable_if<is<int>::v, a b>::type grow<int>(int)":                                         "grow<int>", "operator new(unsigned long)": "operator new",
		"A::operator unsigned long() const": "A::operator unsigned long", "std::ostream& operator<< <char>(std::ostream&)": "operator<< <char>", "A::operator->() const": "A::operator->",
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
