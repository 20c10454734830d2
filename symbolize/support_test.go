package symbolize

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/elftruth"
	"github.com/vmblame/vmblame/internal/testenv"
)

// run runs a command in dir and returns its standard output.
func run(t testing.TB, dir, name string, args ...string) string {
	t.Helper()
	testenv.Need(t, name)
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Stderr = new(strings.Builder)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, cmd.Stderr)
	}
	return string(out)
}

// sourceFile returns the absolute path of a file of testdata.
func sourceFile(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// optimised and other are flags of two builds that most tests can share.
var (
	optimised = []string{"-gdwarf-5", "-O2", "-Wl,--build-id=0x00112233445566778899"}
	other     = []string{"-gdwarf-5", "-O1", "-Wl,--build-id=0x00112233445566778898"}
)

// build compiles a file of testdata with gcc or g++, once for all tests, in a directory of its own. What it returns, and what
// stands beside it, must not be changed.
func build(t testing.TB, name string, flags ...string) string {
	t.Helper()
	return testenv.Kept(t, "prog", fmt.Sprint(name, flags), func(out string) {
		t.Helper()
		buildTo(t, out, name, flags...)
	})
}

// buildTo compiles what the test will change.
func buildTo(t testing.TB, out, name string, flags ...string) {
	t.Helper()
	cc := "gcc"
	if strings.HasSuffix(name, ".cc") {
		cc = "g++"
	}
	run(t, filepath.Dir(out), cc, append([]string{"-o", out, sourceFile(t, name)}, flags...)...)
}

func open(t testing.TB, path string) *elffile.File {
	t.Helper()
	f, err := elffile.OpenPath(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// resolve names addresses of f with a fresh Resolver.
func resolve(t testing.TB, f *elffile.File, opts Options, addrs []uint64) map[uint64]Symbol {
	t.Helper()
	r := New(opts)
	defer r.Release(f)
	got := make(map[uint64]Symbol)
	r.Resolve(f, addrs, func(addr uint64, s Symbol) {
		if _, dup := got[addr]; dup {
			t.Errorf("%#x: yielded twice", addr)
		}
		if len(s.Frames) == 0 || s.Frames[len(s.Frames)-1].Inlined || s.Source == "" {
			t.Errorf("%#x: malformed symbol %+v", addr, s)
		}
		for i, f := range s.Frames {
			if f.Function == "" || f.Function == f.LinkageName || (i < len(s.Frames)-1) != f.Inlined {
				t.Errorf("%#x: malformed frame %d of %+v", addr, i, s)
			}
		}
		got[addr] = s
	})
	return got
}

// nowhere is a directory of debug files that has none.
func nowhere(t testing.TB) Options { return Options{DebugDirs: []string{t.TempDir()}} }

// symbolsOf lists the sized function symbols of a file.
func symbolsOf(t testing.TB, path string) *elftruth.Truth {
	t.Helper()
	return elftruth.New(elftruth.Symbols(t, path))
}

// addressesOf lists every byte of the functions of that name.
func addressesOf(truth *elftruth.Truth, name string) (addrs []uint64) {
	for _, f := range truth.Named(name) {
		for a := f.Start; a < f.End; a++ {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// textAddrs lists every step-th address of a file's .text.
func textAddrs(t testing.TB, f *elffile.File, step uint64) []uint64 {
	t.Helper()
	sh, ok := f.Section(".text")
	if !ok {
		t.Fatalf("%s has no .text", f.Name())
	}
	var addrs []uint64
	for a := sh.Addr; a < sh.Addr+sh.FileSize; a += step {
		addrs = append(addrs, a)
	}
	return addrs
}

// chain writes a symbol as one line: function file:line < function file:line.
func chain(s Symbol) string {
	var b strings.Builder
	for i, f := range s.Frames {
		if i > 0 {
			b.WriteString(" < ")
		}
		b.WriteString(f.Function)
		if f.File != "" {
			b.WriteString(" " + filepath.Base(f.File) + ":" + strconv.Itoa(f.Line))
		}
	}
	return b.String()
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// reopen opens the bytes of f under another name.
func reopen(t testing.TB, f *elffile.File, name string) *elffile.File {
	t.Helper()
	g, err := elffile.Open(f, f.Size(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}
