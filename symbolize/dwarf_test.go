package symbolize

import (
	"bufio"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/testenv"
)

// addr2line asks binutils for the chain of functions at each address.
func addr2line(t testing.TB, path string, addrs []uint64) map[uint64][]Frame {
	t.Helper()
	testenv.Need(t, "addr2line")
	var in strings.Builder
	for _, a := range addrs {
		fmt.Fprintf(&in, "%#x\n", a)
	}
	cmd := exec.Command("addr2line", "-afiC", "-e", path)
	cmd.Stdin = strings.NewReader(in.String())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	chains := make(map[uint64][]Frame)
	var at uint64
	lines := bufio.NewScanner(strings.NewReader(string(out)))
	for lines.Scan() {
		if hex, ok := strings.CutPrefix(lines.Text(), "0x"); ok {
			if at, err = strconv.ParseUint(hex, 16, 64); err != nil {
				t.Fatal(err)
			}
			continue
		}
		f := Frame{Function: lines.Text()}
		lines.Scan()
		pos, _, _ := strings.Cut(lines.Text(), " (discriminator")
		f.File = pos[:strings.LastIndexByte(pos, ':')]
		f.Line, _ = strconv.Atoi(pos[strings.LastIndexByte(pos, ':')+1:])
		chains[at] = append(chains[at], f)
	}
	return chains
}

// sameFunction compares a name of ours with addr2line's. addr2line names a function without a linkage name
// by its last component or, wrongly, by the symbol that covers the address, one of symbols.
func sameFunction(ours, theirs string, symbols []string) bool {
	plain := func(s string) string {
		s, _, _ = strings.Cut(s, ".cold")
		s, _, _ = strings.Cut(s, " [clone")
		s = strings.ReplaceAll(s, " ", "")
		return strings.ReplaceAll(s, ",>", ">") // an empty pack, as the demanglers write it
	}
	o, th := plain(ours), plain(theirs)
	bare := strings.HasPrefix(o, th+"(") || strings.Contains(o, "::"+th+"(") || strings.HasSuffix(o, "::"+th)
	return o == th || bare || strings.HasPrefix(th, o+"(") ||
		slices.ContainsFunc(symbols, func(s string) bool { return plain(demangled(s)) == th })
}

// sameLine compares a position with addr2line's, which may have none, or (of DWARF 5) the unit's file where
// another is meant: then the line is none of that file's.
func sameLine(ours, theirs Frame, lines int) bool {
	if theirs.Line == 0 || theirs.Line != ours.Line {
		return theirs.Line == 0
	}
	base := filepath.Base(theirs.File)
	return base == filepath.Base(ours.File) || base == "<artificial>" || base == "shapes.cc" && theirs.Line > lines
}

// TestInlinedChains compares every address of a C++ program with addr2line: functions, the chain of inlined
// calls, file and line, in each way that GCC writes debugging information.
func TestInlinedChains(t *testing.T) {
	text, err := os.ReadFile(sourceFile(t, "shapes.cc"))
	if err != nil {
		t.Fatal(err)
	}
	sourceLines := strings.Count(string(text), "\n")
	for _, flags := range []string{
		strings.Join(optimised, " "), "-gdwarf-4 -O2", "-gdwarf-5 -O0", "-g -O3 -flto -no-pie", "-gdwarf-4 -O2 -fdebug-types-section",
	} {
		t.Run(flags, func(t *testing.T) {
			path := build(t, "shapes.cc", strings.Fields(flags)...)
			f := open(t, path)
			addrs := textAddrs(t, f, uint64(testenv.Often(5, 1)))
			got, want := resolve(t, f, nowhere(t), addrs), addr2line(t, path, addrs)
			symbols := symbolsOf(t, path)
			inlined, failed := 0, 0
			for _, a := range addrs {
				s, w := got[a], want[a]
				if s.Source != "dwarf" {
					if len(symbols.At(a, false)) > 0 && s.Source != "symtab" {
						t.Errorf("%#x: no name, though %v cover it", a, symbols.At(a, false))
					}
					continue
				}
				ok := len(s.Frames) == len(w)
				for i := 0; ok && i < len(w); i++ {
					g := s.Frames[i]
					ok = sameFunction(g.Function, w[i].Function, symbols.At(a, false)) && sameLine(g, w[i], sourceLines)
				}
				if !ok {
					if failed++; failed < 5 {
						t.Errorf("%#x: %s; addr2line says %v", a, chain(s), w)
					}
				}
				if len(w) > 1 {
					inlined++
				}
			}
			if failed > 0 {
				t.Errorf("%d of %d addresses differ", failed, len(addrs))
			}
			if inlined < len(addrs)/50 && !strings.Contains(flags, "-O0") {
				t.Errorf("only %d addresses of inlined code", inlined)
			}
		})
	}
}

// chains resolves every address of .text, every fifth where CI is not set, and writes the answers as text.
func chains(t testing.TB, f *elffile.File, opts Options) map[uint64]string {
	t.Helper()
	lines := make(map[uint64]string)
	for a, s := range resolve(t, f, opts, textAddrs(t, f, uint64(testenv.Often(5, 1)))) {
		lines[a] = s.Source + " " + chain(s)
	}
	return lines
}

// differ reports the first addresses at which two answers are not the same.
func differ(t testing.TB, want, got map[uint64]string) {
	t.Helper()
	if maps.Equal(want, got) {
		return
	}
	n := 0
	for _, a := range slices.Sorted(maps.Keys(want)) {
		if got[a] != want[a] {
			if n++; n < 4 {
				t.Errorf("%#x: %q, want %q", a, got[a], want[a])
			}
		}
	}
	t.Errorf("%d of %d differ; %d are named", n, len(want), len(got))
}

// TestCompressedSections expects of compressed sections what the same ones said before: by SHF_COMPRESSED
// and by their old names, inflated in memory and in a file.
func TestCompressedSections(t *testing.T) {
	plain := build(t, "shapes.cc", "-g", "-gz=none")
	want := chains(t, open(t, plain), nowhere(t))
	for _, kind := range []string{"zlib", "zlib-gnu", "zstd"} {
		packed := filepath.Join(t.TempDir(), "prog")
		if kind == "zstd" {
			zstdSections(t, plain, packed)
		} else {
			run(t, ".", "objcopy", "--compress-debug-sections="+kind, plain, packed)
		}
		f := open(t, packed)
		if f.Size() == open(t, plain).Size() {
			t.Fatalf("%s: nothing was compressed", kind)
		}
		differ(t, want, chains(t, f, nowhere(t)))
	}
}

// zstdSections writes a copy of an ELF file with the debugging sections compressed by zstd, which the
// binutils at hand may not know.
func zstdSections(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, from)
	sections, err := f.Sections()
	if err != nil {
		t.Fatal(err)
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	le := binary.LittleEndian
	table := int(le.Uint64(b[40:])) // e_shoff
	for i, s := range sections {
		if !strings.HasPrefix(s.Name, ".debug_") {
			continue
		}
		h := make([]byte, 24) // Elf64_Chdr
		le.PutUint32(h, uint32(elf.COMPRESS_ZSTD))
		le.PutUint64(h[8:], s.FileSize)
		le.PutUint64(h[16:], 1)
		packed := enc.EncodeAll(b[s.Offset:s.Offset+s.FileSize], h)
		sh := b[table+64*i:]
		le.PutUint64(sh[8:], uint64(s.Flags|elf.SHF_COMPRESSED))
		le.PutUint64(sh[24:], uint64(len(b)))
		le.PutUint64(sh[32:], uint64(len(packed)))
		b = append(b, packed...)
	}
	writeFile(t, to, b)
}

// TestSplitDWARF expects of .dwo files, and of one .dwp of them, what the same program says with its debugging information inside.
func TestSplitDWARF(t *testing.T) {
	for version, flags := range map[string][]string{"4": {"-gdwarf-4", "-O2"}, "5": optimised} {
		t.Run(version, func(t *testing.T) {
			want := chains(t, open(t, build(t, "shapes.cc", flags...)), nowhere(t))
			split := filepath.Join(t.TempDir(), "prog")
			buildTo(t, split, "shapes.cc", append(slices.Clone(flags), "-gsplit-dwarf")...)
			if dwo, _ := filepath.Glob(filepath.Join(filepath.Dir(split), "*.dwo")); len(dwo) == 0 {
				t.Fatal("no .dwo file was made")
			}
			differ(t, want, chains(t, open(t, split), nowhere(t)))
			if version == "4" { // which binutils' dwp can pack
				dir := filepath.Dir(split)
				run(t, dir, "dwp", "-e", split, "-o", split+".dwp")
				dwo, _ := filepath.Glob(filepath.Join(dir, "*.dwo"))
				run(t, dir, "rm", dwo...)
				differ(t, want, chains(t, open(t, split), nowhere(t)))
			}
		})
	}
}

// TestSplitFIFO expects no wait for a .dwo that is no file.
func TestSplitFIFO(t *testing.T) {
	split := filepath.Join(t.TempDir(), "prog")
	buildTo(t, split, "shapes.cc", "-gdwarf-5", "-O2", "-gsplit-dwarf")
	dwo, _ := filepath.Glob(filepath.Join(filepath.Dir(split), "*.dwo"))
	if len(dwo) == 0 {
		t.Fatal("no .dwo file was made")
	}
	for _, path := range append(dwo, split+".dwp") {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(chains(t, open(t, split), nowhere(t))); n == 0 {
		t.Error("no names by symbols")
	}
}

// TestSupplementaryFile expects of a program whose debugging information dwz has shared with another's what
// it said before.
func TestSupplementaryFile(t *testing.T) {
	dir := t.TempDir()
	want := make(map[string]map[uint64]string)
	for name, flags := range map[string][]string{"one": optimised, "two": other} {
		path := filepath.Join(dir, name)
		run(t, dir, "cp", build(t, "shapes.cc", flags...), path)
		f, err := elffile.OpenPath(path)
		if err != nil {
			t.Fatal(err)
		}
		want[name] = chains(t, f, nowhere(t))
		f.Close()
	}
	run(t, dir, "dwz", "-m", "common.debug", "-M", "common.debug", "one", "two")
	for name := range want {
		f := open(t, filepath.Join(dir, name))
		if _, ok := f.Section(".gnu_debugaltlink"); !ok {
			t.Fatal("dwz made no supplementary file")
		}
		differ(t, want[name], chains(t, f, nowhere(t)))
	}
}

// TestSeparateDebugFile strips a program and expects its names from the debug file, found by build id and
// by debug link; and none from a file of another build.
func TestSeparateDebugFile(t *testing.T) {
	whole := build(t, "shapes.cc", optimised...)
	f := open(t, whole)
	want := chains(t, f, nowhere(t))
	split := func(t *testing.T, link bool) (dir string, program, debug string) {
		dir = t.TempDir()
		program, debug = filepath.Join(dir, "prog"), filepath.Join(dir, "prog.debug")
		run(t, dir, "objcopy", "--only-keep-debug", whole, debug)
		run(t, dir, "objcopy", "--strip-all", whole, program)
		if link {
			run(t, dir, "objcopy", "--add-gnu-debuglink=prog.debug", program)
		}
		return dir, program, debug
	}
	t.Run("build id", func(t *testing.T) {
		dir, program, debug := split(t, false)
		dirs := filepath.Join(dir, "debug")
		run(t, dir, "mkdir", "-p", filepath.Join(dirs, ".build-id", "00"))
		run(t, dir, "mv", debug, filepath.Join(dirs, ".build-id", "00", "112233445566778899.debug"))
		differ(t, want, chains(t, open(t, program), Options{DebugDirs: []string{dirs}}))
	})
	t.Run("debug link", func(t *testing.T) {
		_, program, _ := split(t, true)
		differ(t, want, chains(t, open(t, program), nowhere(t)))
	})
	t.Run("wrong file", func(t *testing.T) {
		dir, program, debug := split(t, true)
		run(t, dir, "objcopy", "--only-keep-debug", build(t, "shapes.cc", other...), debug)
		exported := symbolsOf(t, program)
		for a, s := range resolve(t, open(t, program), nowhere(t), textAddrs(t, f, 1)) {
			if s.Source == "dwarf" || !slices.Contains(exported.At(a, false), s.Frames[0].Function) {
				t.Fatalf("%#x: named %+v from a debug file of another build", a, s)
			}
		}
	})
}

// TestPartialDWARF expects that debugging information for one unit does not hide the symbols of another.
func TestPartialDWARF(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, "gcc", "-c", "-g", "-O1", "-o", "with.o", sourceFile(t, "with.c"))
	run(t, dir, "gcc", "-c", "-O1", "-o", "without.o", sourceFile(t, "without.c"))
	run(t, dir, "gcc", "-o", "prog", "with.o", "without.o")
	f := open(t, filepath.Join(dir, "prog"))
	for _, fn := range symbolsOf(t, f.Name()).Functions {
		want := map[string]string{"main": "dwarf", "with_debug": "dwarf", "without_debug": "symtab", "hidden": "symtab"}[fn.Name]
		if want == "" {
			continue
		}
		s := resolve(t, f, nowhere(t), []uint64{fn.End - 1})[fn.End-1]
		if len(s.Frames) != 1 || s.Frames[0].Function != fn.Name || s.Frames[0].Start != fn.Start || s.Source != want {
			t.Errorf("%s: %+v, want it from %s", fn.Name, s, want)
		}
	}
}
