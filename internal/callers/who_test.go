package callers

import (
	"slices"
	"strings"
	"testing"
)

// rules know a malloc that programs carry inside them, and a runtime.
var rules = NewRules([]Allocator{
	{Role: "jemalloc", Modules: []string{"libjemalloc"}, Prefix: "je_", Functions: []string{"pages_*", "extent_*", "rtree_*", "arena_*", "large_*", "malloc_default*"}, Pages: []string{"pages_map"}},
	{Functions: []string{"runtime.*", "x_cgo_*"}, Pages: []string{"runtime.mmap"}},
	{Lowest: []string{"v8::base::OS::*"}},
})

// stack makes calls of lines "FUNCTION MODULE [ROLE]", "-" for no name.
func stack(lines ...string) []Call {
	var calls []Call
	for i, l := range lines {
		f := strings.Split(l, "|")
		c := Call{Function: f[0], Module: Named(f[1]), Frame: i, Address: uint64(i)}
		if len(f) > 2 {
			c.Module.Role = Role(f[2])
		}
		if f[0] == "-" {
			c.Function = ""
		}
		calls = append(calls, c)
	}
	return calls
}

// TestWho holds who is to blame of stacks of all sorts.
func TestWho(t *testing.T) {
	const exe, libc = "/srv/app/bin/app", "/lib/x86_64-linux-gnu/libc.so.6"
	const start = "__libc_start_call_main|" + libc
	for _, c := range []struct {
		name, want string
		own        string // the first function of the program's own
		stack      []string
		cut        bool
	}{
		{name: "a library", want: "fopen < load < main", own: "load", stack: []string{"mmap|" + libc, "malloc|" + libc, "fopen|" + libc, "load|" + exe, "main|" + exe, start}},
		{name: "a C library that lies elsewhere", want: "malloc < load < main", own: "load",
			stack: []string{"__mmap64|/srv/app/lib/c.so|glibc", "sysmalloc|/srv/app/lib/c.so|glibc", "malloc|/srv/app/lib/c.so|glibc", "load|" + exe, "main|" + exe, "__libc_start_call_main|/srv/app/lib/c.so|glibc"}},
		{name: "a file that is only called so", want: "grab < main", own: "grab", stack: []string{"mmap|" + libc + "|glibc", "grab|/srv/app/lib/libc.so.6|other", "main|" + exe, start}},
		{name: "an allocator inside the program", want: "je_malloc_default < load < main", own: "load",
			stack: []string{"mmap|" + libc, "je_pages_map|" + exe, "je_extent_alloc|" + exe, "je_malloc_default|" + exe, "load|" + exe, "main|" + exe, start}},
		{name: "functions that are called like an allocator's", want: "extent_insert < main", own: "extent_insert",
			stack: []string{"mmap|" + libc, "extent_insert|" + exe, "main|" + exe, start}},
		{name: "an allocator's file", want: "malloc < load < main", own: "load", stack: []string{"mmap|" + libc, "-|/opt/x/je.so|jemalloc", "malloc|/opt/x/je.so|jemalloc", "load|" + exe, "main|" + exe, start}},
		{name: "the lowest layer", want: "v8::internal::CodeRange::Init < main", own: "v8::internal::CodeRange::Init",
			stack: []string{"mmap|" + libc, "v8::base::OS::Allocate(void*)|" + exe, "v8::internal::CodeRange::Init()|" + exe, "main|" + exe, start}},
		{name: "cgo", want: "runtime.makeslice < main.load < main.main", own: "main.load",
			stack: []string{"mmap|" + libc, "x_cgo_mmap|" + exe, "runtime.mmap|" + exe, "runtime.makeslice|" + exe, "main.load|" + exe, "main.main|" + exe, "runtime.goexit|" + exe}},
		{name: "nothing but a runtime", want: "runtime.sysInit < runtime.rt0", own: "runtime.sysInit", stack: []string{"mmap|" + libc, "x_cgo_mmap|" + exe, "runtime.mmap|" + exe, "runtime.sysInit|" + exe, "runtime.rt0|" + exe}},
		{name: "a launcher", want: "malloc < eval < run < main", own: "eval",
			stack: []string{"mmap|" + libc, "malloc|" + libc, "eval|/usr/lib/libR.so|other", "run|/usr/lib/libR.so|other", "main|" + exe + "|launcher", start}},
		{name: "a launcher that is called back", want: "malloc < eval < inner < run < main", own: "eval",
			stack: []string{"mmap|" + libc, "malloc|" + libc, "eval|/usr/lib/libg.so|other", "inner|" + exe + "|launcher", "run|/usr/lib/libg.so|other", "main|" + exe + "|launcher", start}},
		{name: "a small program of its own", want: "open_it < work < main", own: "work",
			stack: []string{"mmap|" + libc, "malloc|" + libc, "open_it|/usr/lib/libz.so|other", "work|" + exe + "|launcher", "main|" + exe + "|launcher", start}},
		{name: "code made at run time", want: "grab < (JIT code) < main", own: "grab", stack: []string{"mmap|" + libc, "grab|" + exe, "-|[anon]", "-|[anon]", "main|" + exe, start}},
		{name: "a stack that ends there", want: "grab < (JIT code, where the stack ends)", own: "grab", stack: []string{"mmap|" + libc, "grab|" + exe, "-|[anon]"}, cut: true},
		{name: "the loader", want: "the loader", own: "the loader", stack: []string{"mmap|/lib64/ld-linux-x86-64.so.2", "_dl_map|/lib64/ld-linux-x86-64.so.2"}},
	} {
		got := rules.Who(Stack{Calls: slices.Values(stack(c.stack...)), Exe: exe, Cut: c.cut})
		if text := strings.Join(got.Calls, " < "); text != c.want || got.Calls[got.Keep-1] != c.own {
			t.Errorf("%s: %s, own %s; want %s, own %s", c.name, text, got.Calls[got.Keep-1], c.want, c.own)
		}
	}
}

// TestRoots: below the root that a C library lies in, the system's directories are the system's.
func TestRoots(t *testing.T) {
	for path, want := range map[string]string{
		"/lib/x86_64-linux-gnu/libc.so.6": "", "/srv/jail/lib/x86_64-linux-gnu/libc.so.6": "/srv/jail", "/srv/jail/usr/lib64/libc.so.6": "/srv/jail",
	} {
		if root, ok := Named(path).Root(); !ok || root != want {
			t.Errorf("%s: %q, %v", path, root, ok)
		}
	}
	if _, ok := Named("/srv/jail/lib/libz.so").Root(); ok {
		t.Error("a library that is no C library tells a root")
	}
	const exe = "/srv/jail/usr/bin/app"
	if isOwn(Named("/srv/jail/usr/lib/libz.so.1"), exe, []string{"/srv/jail"}) {
		t.Error("a library of the jail's system is the program's own")
	}
	if !isOwn(Named("/srv/jail/opt/app/libapp.so"), exe, []string{"/srv/jail"}) || !isOwn(Named(exe), exe, []string{"/srv/jail"}) {
		t.Error("the program's own files are not its own")
	}
}
