package symbolize

import (
	"debug/elf"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// buildNarrow builds narrow.c for i386, without what a compiler for x86-64 alone may lack.
func buildNarrow(t testing.TB, flags ...string) string {
	t.Helper()
	return build(t, "narrow.c", append(flags, "-m32", "-O2", "-ffreestanding", "-nostdlib", "-fno-stack-protector")...)
}

// linked makes narrow.c a program beside a library that has what it calls.
func linked(t testing.TB, flags ...string) string {
	t.Helper()
	lib := filepath.Join(t.TempDir(), "lib.so")
	source := filepath.Join(filepath.Dir(lib), "lib.c")
	writeFile(t, source, []byte("int outside(int x) { return x; }\nint chosen_outside(int x) { return x; }\nint printf_like(char *s) { return *s; }\n"))
	run(t, ".", "gcc", "-m32", "-shared", "-fPIC", "-ffreestanding", "-nostdlib", "-o", lib, source)
	return buildNarrow(t, append(flags, lib, "-Wl,-dynamic-linker,/nonexistent")...)
}

// TestNarrowPrograms compares every address of a 32-bit file with addr2line and debug/elf.
func TestNarrowPrograms(t *testing.T) {
	for _, flags := range []string{"-g -gdwarf-5", "-g -gdwarf-4", "-g -gz=zlib", "-g0"} {
		path := buildNarrow(t, append(strings.Fields(flags), "-shared", "-fPIC")...)
		f := open(t, path)
		if f.Class() != elf.ELFCLASS32 {
			t.Fatal("no 32-bit file was made")
		}
		addrs := textAddrs(t, f, 1)
		got, want := resolve(t, f, nowhere(t), addrs), addr2line(t, path, addrs)
		symbols := symbolsOf(t, path)
		inlined := 0
		for _, a := range addrs {
			s, covering := got[a], symbols.At(a, false)
			if len(s.Frames) == 0 {
				if len(covering) > 0 {
					t.Errorf("%s: %#x: no name, though %v cover it", flags, a, covering)
				}
				continue
			}
			if s.Source != "dwarf" {
				if flags != "-g0" && len(covering) > 0 && want[a][0].Line > 0 || len(covering) > 0 && !slices.Contains(covering, s.Frames[0].Function) {
					t.Errorf("%s: %#x: %+v; %v cover it", flags, a, s, covering)
				}
				continue
			}
			w := want[a]
			ok := len(s.Frames) == len(w)
			for i := 0; ok && i < len(w); i++ {
				ok = sameFunction(s.Frames[i].Function, w[i].Function, covering) && sameLine(s.Frames[i], w[i], 30)
			}
			if !ok {
				t.Errorf("%s: %#x: %s; addr2line says %v", flags, a, chain(s), w)
			}
			if len(w) > 1 {
				inlined++
			}
		}
		if flags != "-g0" && inlined == 0 {
			t.Errorf("%s: no inlined code", flags)
		}
	}
}

// TestNarrowPLT names every stub of 32-bit files as objdump does.
func TestNarrowPLT(t *testing.T) {
	stub := regexp.MustCompile(`(?m)^([0-9a-f]+) <(\w+)@plt>:$`)
	for _, flags := range []string{
		"-shared -fPIC -Wl,-z,lazy -fcf-protection=none", "-shared -fPIC -Wl,-z,now -fcf-protection=none",
		"-shared -fPIC -Wl,-z,lazy -fcf-protection=full -Wl,-z,ibtplt", "-shared -fPIC -s",
		"-no-pie -fno-pic", "-no-pie -fno-pic -s -fcf-protection=full -Wl,-z,ibtplt", "-pie -fPIE",
	} {
		make := linked
		if strings.Contains(flags, "-shared") {
			make = buildNarrow
		}
		path := make(t, strings.Fields(flags)...)
		want := stub.FindAllStringSubmatch(run(t, ".", "objdump", "-d", path), -1)
		if len(want) < 2 {
			t.Fatalf("%s: objdump knows %d stubs", flags, len(want))
		}
		f := open(t, path)
		expectStubs(t, f, flags, want)
	}
}

// TestNarrowGo holds a stripped Go program for i386 against the same program whole.
func TestNarrowGo(t *testing.T) {
	t.Setenv("GOARCH", "386")
	t.Setenv("CGO_ENABLED", "0")
	whole, stripped := goBuild(t), goBuild(t, "-ldflags=-s -w")
	f := open(t, whole)
	if f.Class() != elf.ELFCLASS32 {
		t.Fatal("no 32-bit file was made")
	}
	var work []uint64
	for _, fn := range symbolsOf(t, whole).Functions {
		if strings.HasPrefix(fn.Name, "main.") {
			for a := fn.Start; a < fn.End; a++ {
				work = append(work, a)
			}
		}
	}
	want, got := resolve(t, f, nowhere(t), work), resolve(t, open(t, stripped), nowhere(t), work)
	inlined := 0
	for _, a := range work {
		w, g := want[a], got[a]
		if w.Source != "dwarf" || g.Source != "gopclntab" || chain(w) != chain(g) {
			t.Fatalf("%#x: %q from %s stripped, %q from %s whole", a, chain(g), g.Source, chain(w), w.Source)
		}
		inlined += len(g.Frames) - 1
	}
	if inlined == 0 {
		t.Error("no inlined calls")
	}
	// Symbols that the linker places between functions ("go:…") must not be reported as functions.
	g := open(t, stripped)
	for a, s := range resolve(t, g, nowhere(t), textAddrs(t, g, 16)) {
		if strings.HasPrefix(s.Frames[0].Function, "go:") {
			t.Fatalf("%#x: %s", a, chain(s))
		}
	}
}

// TestStubs decodes the stubs that linkers other than binutils' make.
func TestStubs(t *testing.T) {
	slots := &pltSlots{machine: elf.EM_X86_64, at: map[uint64]uint32{0x4018: 3}, jumps: []uint32{0, 1, 2, 3, 4}, relSize: 24}
	narrow := &pltSlots{machine: elf.EM_386, at: map[uint64]uint32{0x4018: 3}, jumps: []uint32{0, 1, 2, 3, 4}, relSize: 8, got: 0x4000}
	for _, c := range []struct {
		name  string
		slots *pltSlots
		stub  string
		want  uint32
	}{
		{"mold", slots, "\xf3\x0f\x1e\xfa\x41\xbb\x09\x00\x00\x00\xff\x25\x08\x30\x00\x00", 3},
		{"lld, retpoline", slots, "\x4c\x8b\x1d\x11\x30\x00\x00\xe8\x00\x00\x00\x00\xe9\x00\x00\x00", 3},
		{"binutils, indirect branch tracking", slots, "\xf3\x0f\x1e\xfa\x68\x02\x00\x00\x00\xe9\x00\x00\x00\x00\x90\x90", 2},
		{"mold, i386", narrow, "\xf3\x0f\x1e\xfb\xb9\x08\x00\x00\x00\xff\xa3\x18\x00\x00\x00\xcc", 3},
		{"lld, i386", narrow, "\xff\x25\x18\x40\x00\x00\x68\x00\x00\x00\x00\xe9\x00\x00\x00\x00", 3},
		{"binutils, i386, indirect branch tracking", narrow, "\xf3\x0f\x1e\xfb\x68\x10\x00\x00\x00\xe9\x00\x00\x00\x00\x66\x90", 2},
	} {
		if n, ok := c.slots.target([]byte(c.stub), 0x1000); !ok || n != c.want {
			t.Errorf("%s: %d, %v, want %d", c.name, n, ok, c.want)
		}
	}
}
