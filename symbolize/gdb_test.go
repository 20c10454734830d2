package symbolize

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// infoSymbol asks gdb's "info symbol" for each address; one that it does not name is absent.
func infoSymbol(t testing.TB, path string, addrs []uint64) map[uint64]string {
	t.Helper()
	var script strings.Builder
	script.WriteString("set print asm-demangle off\nset print demangle off\nset width 0\n")
	for _, a := range addrs {
		fmt.Fprintf(&script, "printf \"at %%lx: \", %#xul\ninfo symbol %#x\n", a, a)
	}
	file := filepath.Join(t.TempDir(), "script")
	writeFile(t, file, []byte(script.String()))
	out := run(t, ".", "gdb", "-batch", "-nx", "-iex", "set auto-load off", "-x", file, path)
	got := make(map[uint64]string)
	for _, m := range regexp.MustCompile(`at ([0-9a-f]+): (\S+)(?: \+ \d+)? in section`).FindAllStringSubmatch(out, -1) {
		a, err := strconv.ParseUint(m[1], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		got[a], _, _ = strings.Cut(m[2], "@@")
	}
	return got
}

// TestGDB compares the outermost function with gdb's "info symbol". Where the two have not the same name
// both must be names of symbols that cover the address; where we have none, none must.
func TestGDB(t *testing.T) {
	testenv.Need(t, "gdb", "libc6-dbg")
	debug, err := open(t, libc(t)).DebugFile(nil)
	if err != nil {
		t.Fatalf("libc's debug symbols (libc6-dbg): %v", err)
	}
	for _, c := range []struct{ path, truth string }{
		{build(t, "shapes.cc", optimised...), ""},
		{build(t, "shapes.cc", "-O2"), ""},
		{libc(t), debug.Name()},
	} {
		if c.truth == "" {
			c.truth = c.path
		}
		symbols := symbolsOf(t, c.truth)
		f := open(t, c.path)
		addrs := spread(textAddrs(t, f, 1), 700)
		ours, theirs := resolve(t, f, Options{}, addrs), infoSymbol(t, c.path, addrs)
		if len(theirs) < 500 {
			t.Fatalf("%s: gdb names %d of %d addresses", c.path, len(theirs), len(addrs))
		}
		for _, a := range addrs {
			covering := symbols.At(a, false)
			s, ok := ours[a]
			switch {
			case !ok:
				if len(covering) > 0 {
					t.Errorf("%#x: no name, gdb says %s", a, theirs[a])
				}
			case s.Approximate:
				if len(covering) > 0 {
					t.Errorf("%#x: %+v, though %v cover it", a, s, covering)
				}
			default:
				last := s.Frames[len(s.Frames)-1]
				raw := last.LinkageName
				if raw == "" {
					raw = last.Function
				}
				same := raw == theirs[a] || slices.Contains(covering, raw) || slices.Contains(covering, last.Function) ||
					slices.ContainsFunc(covering, func(n string) bool { return sameFunction(last.Function, demangled(n), nil) })
				if !same {
					t.Errorf("%#x: %+v, gdb says %s, what covers it is %v", a, last, theirs[a], covering)
				}
			}
		}
	}
}
