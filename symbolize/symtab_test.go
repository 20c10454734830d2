package symbolize

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/elftruth"
)

// TestPLT names every stub as objdump does, for each kind of table that the linker makes.
func TestPLT(t *testing.T) {
	stub := regexp.MustCompile(`(?m)^([0-9a-f]+) <(\w+)@plt>:$`)
	for _, flags := range []string{
		"-Wl,-z,lazy -fcf-protection=none", "-Wl,-z,now -fcf-protection=none", "-Wl,-z,lazy -fcf-protection=full -Wl,-z,ibtplt",
		"-Wl,-z,now -fcf-protection=full -Wl,-z,ibtplt", "-no-pie", "-s",
	} {
		path := build(t, "plt.c", append(strings.Fields(flags), "-fno-builtin")...)
		f := open(t, path)
		want := stub.FindAllStringSubmatch(run(t, ".", "objdump", "-d", path), -1)
		if len(want) < 4 {
			t.Fatalf("%s: objdump knows %d stubs", flags, len(want))
		}
		expectStubs(t, f, flags, want)
		plt, ok := f.Section(".plt")
		if s := resolve(t, f, nowhere(t), []uint64{plt.Addr}); ok && strings.Contains(flags, "lazy") && len(s) > 0 {
			t.Errorf("%s: the common stub is named %+v", flags, s)
		}
	}
}

// TestIFUNCStub expects the stub of an IFUNC to have its name and not that of the function that chooses.
func TestIFUNCStub(t *testing.T) {
	path := build(t, "ifunc.c", "-O1")
	f := open(t, path)
	call := regexp.MustCompile(`call +([0-9a-f]+) <`).FindStringSubmatch(run(t, ".", "objdump", "-d", "--no-show-raw-insn", "--disassemble=main", path))
	if call == nil {
		t.Fatal("main calls nothing")
	}
	a, err := strconv.ParseUint(call[1], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	if s := resolve(t, f, nowhere(t), []uint64{a})[a]; len(s.Frames) != 1 || s.Frames[0].Function != "chosen_at_start@plt" {
		t.Errorf("%#x: %+v", a, s)
	}
}

// TestUnsized expects a symbol without a size to reach to the end of its unwind table entry or to the next
// symbol, and no further.
func TestUnsized(t *testing.T) {
	path := filepath.Join(t.TempDir(), "unsized.so")
	run(t, ".", "gcc", "-shared", "-nostdlib", "-o", path, sourceFile(t, "unsized.s"))
	at := elftruth.Values(t, path)
	f := open(t, path)
	check := func(sym string, off uint64, want, source string) {
		t.Helper()
		a := at[sym] + off
		s, ok := resolve(t, f, nowhere(t), []uint64{a})[a]
		if !ok {
			if want != "" {
				t.Errorf("%s+%d: no name, want %s", sym, off, want)
			}
			return
		}
		if s.Frames[0].Function != want || s.Source != source || s.Approximate != strings.HasSuffix(source, "-nosize") ||
			s.Frames[0].Start != at[want] {
			t.Errorf("%s+%d: %+v, want %q from %s", sym, off, s, want, source)
		}
	}
	for _, source := range []string{"symtab", "dynsym"} {
		nosize := source + "-nosize"
		check("with_fde", 0, "with_fde", nosize)
		check("with_fde", 2, "with_fde", nosize)
		check("with_fde", 3, "", "") // past its unwind table entry
		check("plain_a", 0, "plain_a", nosize)
		check("plain_a", 5, "plain_a", nosize)
		check("plain_a", 16, "plain_b", nosize) // the next symbol
		check("sized", 0, "sized", source)
		check("sized", 1, "sized", source) // and not the label
		check("sized", 2, "sized", source)
		check("sized", 3, "", "")
		check("last", 1, "last", nosize)
		check("last", 2, "", "") // past the section
		run(t, ".", "strip", "--strip-all", path)
		f = open(t, path)
	}
}

// TestAliases expects one name of many: global, not weak or local, without "__", the shortest.
func TestAliases(t *testing.T) {
	path := build(t, "aliases.c", "-O1", "-rdynamic")
	at := elftruth.Values(t, path)
	f := open(t, path)
	for sym, want := range map[string]string{"run": "run", "picked": "picked", "quick": "quick"} {
		s := resolve(t, f, nowhere(t), []uint64{at[sym]})[at[sym]]
		if len(s.Frames) != 1 || s.Frames[0].Function != want || s.Source != "symtab" {
			t.Errorf("%s: %+v", sym, s)
		}
	}
	run(t, ".", "strip", path)
	f = open(t, path)
	if s := resolve(t, f, nowhere(t), []uint64{at["run"]})[at["run"]]; s.Source != "dynsym" || s.Frames[0].Function != "run" {
		t.Errorf("stripped: %+v", s)
	}
	if s, ok := resolve(t, f, nowhere(t), []uint64{at["quick"]})[at["quick"]]; ok {
		t.Errorf("a local function of a stripped program is named %+v", s)
	}
}

// miniDebugInfo strips a program and gives it a .gnu_debugdata section with its symbols, as Fedora's
// packages are made.
func miniDebugInfo(t testing.TB, path string) {
	t.Helper()
	dir := t.TempDir()
	mini := filepath.Join(dir, "mini")
	run(t, dir, "objcopy", "--only-keep-debug", "--strip-debug", path, mini)
	data, err := os.ReadFile(mini)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w, err := xz.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	writeFile(t, mini+".xz", packed.Bytes())
	run(t, dir, "strip", path)
	run(t, dir, "objcopy", "--add-section", ".gnu_debugdata="+mini+".xz", path)
}

func TestMiniDebugInfo(t *testing.T) {
	path := build(t, "without.c", "-shared", "-fPIC", "-O1")
	functions := symbolsOf(t, path)
	miniDebugInfo(t, path)
	f := open(t, path)
	for name, source := range map[string]string{"hidden": "minidebuginfo", "without_debug": "minidebuginfo"} {
		for _, fn := range functions.Named(name) {
			for _, a := range []uint64{fn.Start, fn.End - 1} {
				if s := resolve(t, f, nowhere(t), []uint64{a})[a]; len(s.Frames) != 1 || s.Frames[0].Function != name || s.Source != source {
					t.Errorf("%s: %+v", name, s)
				}
			}
		}
	}
}

// TestVDSO names the image that the kernel maps into every process; it is no file, so it has its own name.
func TestVDSO(t *testing.T) {
	path := build(t, "without.c", "-shared", "-fPIC", "-O1", "-s")
	f := open(t, path)
	vdso := reopen(t, f, "[vdso]")
	for _, fn := range symbolsOf(t, path).Functions {
		if fn.Name == "without_debug" {
			s := resolve(t, vdso, nowhere(t), []uint64{fn.Start})[fn.Start]
			if s.Source != "vdso" || s.Frames[0].Function != fn.Name {
				t.Errorf("%+v", s)
			}
			return
		}
	}
	t.Error("no without_debug")
}

func TestRelease(t *testing.T) {
	f := open(t, libc(t))
	r := New(Options{})
	addrs := samples(symbolsOf(t, libc(t)))[:500]
	before := openFiles(t)
	for range 3 {
		n := 0
		r.Resolve(f, addrs, func(uint64, Symbol) { n++ })
		if n < 300 {
			t.Errorf("%d of %d addresses are named", n, len(addrs))
		}
		r.Release(f)
		r.Release(f)
	}
	// The debug file stays open with f, whose it is; temporary files do not.
	if after := openFiles(t); after > before+1 {
		t.Errorf("%d files were open before, %d after", before, after)
	}
	r.Resolve(f, nil, func(uint64, Symbol) { t.Error("named nothing") })
	r.Release(f)
}

func openFiles(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestDemangled(t *testing.T) {
	for raw, want := range map[string]string{
		"main": "main", "_start": "_start", "_Znwm": "operator new(unsigned long)",
		"_ZN4core3fmt5write17h0123456789abcdefE":   "core::fmt::write",
		"_RNvC6_123foo3bar":                        "123foo::bar",
		"_ZNSt6vectorIiSaIiEE9push_backEOi":        "std::vector<int, std::allocator<int> >::push_back(int&&)",
		"_Z3foov.cold":                             "foo() [clone .cold]",
		"_Z" + strings.Repeat("x", 2*maxMangled):   "_Z" + strings.Repeat("x", 2*maxMangled),
		"_ZN":                                      "_ZN",
		"_Z1fI" + strings.Repeat("N", 5000) + "Ev": "_Z1fI" + strings.Repeat("N", 5000) + "Ev",
	} {
		f := newFrame(raw, 0)
		if f.Function != want {
			t.Errorf("%.60q: %.60q, want %.60q", raw, f.Function, want)
		}
		if (f.LinkageName == raw) != (want != raw) {
			t.Errorf("%.60q: linkage name %.60q", raw, f.LinkageName)
		}
	}
}

// expectStubs expects the stubs that objdump lists, each an address and a name, to be named as it does.
func expectStubs(t *testing.T, f *elffile.File, flags string, want [][]string) {
	t.Helper()
	for _, w := range want {
		addr, err := strconv.ParseUint(w[1], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []uint64{addr, addr + 5} {
			s := resolve(t, f, nowhere(t), []uint64{a})[a]
			if len(s.Frames) != 1 || s.Frames[0].Function != w[2]+"@plt" || s.Frames[0].Start != addr || s.Source != "plt" {
				t.Errorf("%s: %#x: %+v, want %s@plt", flags, a, s, w[2])
			}
		}
	}
}
