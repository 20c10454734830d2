package symbolize

import (
	"math/rand"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/elftruth"
	"github.com/vmblame/vmblame/internal/testenv"
)

// libc is the C library that programs of this machine run with.
func libc(t testing.TB) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(strings.TrimSpace(run(t, ".", "gcc", "-print-file-name=libc.so.6")))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// samples lists addresses of code: the ends and the middle of every function, and as many at random.
func samples(truth *elftruth.Truth) []uint64 {
	list := truth.Functions
	var addrs []uint64
	lo, hi := list[0].Start, list[0].End
	for _, f := range list {
		addrs = append(addrs, f.Start, f.Start+(f.End-f.Start)/2, f.End-1)
		hi = max(hi, f.End)
	}
	rnd := rand.New(rand.NewSource(42))
	for range len(list) {
		addrs = append(addrs, lo+uint64(rnd.Int63n(int64(hi-lo))))
	}
	return addrs
}

// TestLibcWithDebugSymbols holds every name in libc against the symbols and DWARF functions of its debug
// file: none that does not cover the address, and none missing where one does.
func TestLibcWithDebugSymbols(t *testing.T) {
	f := open(t, libc(t))
	testenv.Need(t, "libc6-dbg")
	debug, err := f.DebugFile(nil)
	if err != nil {
		t.Fatalf("libc's debug symbols (libc6-dbg): %v", err)
	}
	symbols, dwarfs := symbolsOf(t, debug.Name()), elftruth.New(elftruth.Debug(t, debug.Name()))
	addrs := samples(symbols)
	got := resolve(t, f, Options{}, addrs)
	sources := make(map[string]int)
	for _, a := range addrs {
		want := append(symbols.At(a, false), dwarfs.At(a, false)...)
		s, named := got[a]
		if !named {
			if len(want) > 0 {
				t.Errorf("%#x: no name, though %v cover it", a, want)
			}
			continue
		}
		sources[s.Source]++
		last := s.Frames[len(s.Frames)-1]
		if s.Approximate || s.Source == "plt" {
			if len(want) > 0 {
				t.Errorf("%#x: %s from %s, though %v cover it", a, last.Function, s.Source, want)
			}
			continue
		}
		if !slices.Contains(want, last.Function) {
			t.Errorf("%#x: named %q by %s; what covers it is %v", a, last.Function, s.Source, want)
		}
		if s.Source == "dwarf" && s.Frames[0].Line == 0 && s.Frames[0].File != "" {
			t.Errorf("%#x: a file without a line: %+v", a, s.Frames[0])
		}
	}
	if sources["dwarf"] < 5000 || sources["symtab"] < 100 {
		t.Errorf("few names: %v of %d addresses", sources, len(addrs))
	}
	for name, f := range map[string]string{"alloc_new_heap": "arena.c", "start_thread": "pthread_create.c"} {
		list := symbols.Named(name)
		if len(list) == 0 {
			t.Fatalf("no symbol %s", name)
		}
		s := got[list[0].Start]
		if s.Source != "dwarf" || s.Frames[0].Function != name || filepath.Base(s.Frames[0].File) != f || s.Frames[0].Line == 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestStrippedLibc names libc without its debug file: only exported functions have names, and each is the
// right one.
func TestStrippedLibc(t *testing.T) {
	path := libc(t)
	f := open(t, path)
	testenv.Need(t, "libc6-dbg")
	debug, err := f.DebugFile(nil)
	if err != nil {
		t.Fatalf("libc's debug symbols (libc6-dbg) are what the names are held against: %v", err)
	}
	truth, exported := symbolsOf(t, debug.Name()), symbolsOf(t, path)
	addrs := samples(truth)
	got := resolve(t, f, nowhere(t), addrs)
	named := 0
	for _, a := range addrs {
		s, ok := got[a]
		want := exported.At(a, false)
		if !ok {
			if len(want) > 0 {
				t.Errorf("%#x: no name, though %v cover it", a, want)
			}
			continue
		}
		if s.Source == "plt" {
			continue // TestPLT
		}
		named++
		name := s.Frames[0].Function
		if !slices.Contains(want, name) || !slices.Contains(truth.At(a, false), name) {
			t.Errorf("%#x: named %q by %s; exported there is %v, really there %v", a, name, s.Source, want, truth.At(a, false))
		}
	}
	if named < 2000 || named > len(addrs)*3/4 {
		t.Errorf("%d of %d addresses of a stripped library are named", named, len(addrs))
	}
	if s, ok := got[truth.Named("alloc_new_heap")[0].Start]; ok {
		t.Errorf("alloc_new_heap is not exported, yet was named %+v", s)
	}
}

// TestAssemblyAliases takes the plainest of the names that the debugging information of assembly code has.
func TestAssemblyAliases(t *testing.T) {
	f := open(t, libc(t))
	testenv.Need(t, "libc6-dbg")
	debug, err := f.DebugFile(nil)
	if err != nil {
		t.Fatalf("libc's debug symbols (libc6-dbg): %v", err)
	}
	for _, s := range symbolsOf(t, debug.Name()).Functions {
		if s.Name != "munmap" && s.Name != "mprotect" {
			continue
		}
		if got := resolve(t, f, Options{}, []uint64{s.Start})[s.Start]; got.Frames[0].Function != s.Name {
			t.Errorf("%s: %+v", s.Name, got)
		}
	}
}
