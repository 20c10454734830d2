package e2e

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/elftruth"
	"github.com/vmblame/vmblame/internal/testenv"
)

// sampled is a program whose frames are held against all that is known of the build.
type sampled struct {
	name  string
	flags []string
	needs []string // beside argv's first
	build []string // makes it, nil for what is there
	argv  []string
	many  bool // only where CI is set
	// unstripped is the file that argv's program was stripped from, "" for none.
	unstripped string
}

// TestNamesOfRealPrograms holds the name of every frame of real recordings against all symbols and all
// functions of the debugging information that cover its address, on a build with full symbols: no name may
// be another one, and none may be missing where one covers the address. Where gdb says otherwise the reason
// must be one of those in docs/names.md. `go test -v` prints the table.
func TestNamesOfRealPrograms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var table strings.Builder
	fmt.Fprintf(&table, "%-22s %8s %8s %8s %6s %8s %6s %6s %6s %6s %6s %6s\n", "program", "frames", "places", "named", "wrong", "missing", "gdb =", "alias", "past", "stub", "line =", "other")
	frames := 0
	judges := map[string]*elftruth.Truth{}
	gdb := map[string]map[uint64]gdbAnswer{}
	for _, s := range samplePrograms(t, dir) {
		if s.many && !testenv.CI() {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			testenv.Need(t, s.needs...)
			if s.build != nil {
				command(t, s.build...)
			}
			need(t, s.argv)
			n, o := recordNames(t, s.flags, s.argv...)
			if want := "exit status 0"; o.status != want {
				t.Errorf("%s: %s", o.status, o.stderr)
			}
			places := map[framePlace]bool{}
			count := 0
			for _, st := range n.stacks {
				for _, f := range n.frames(st.Stack) {
					count++
					places[framePlace{f.module.Module, f.addr}] = true
				}
			}
			frames += count
			c := judge(t, s, n, places, judges)
			t.Run("gdb", func(t *testing.T) { c.gdb(t, s, n, places, judges, gdb) })
			fmt.Fprintf(&table, "%-22s %8d %8d %8d %6d %8d %6d %6d %6d %6d %6d %6d\n", s.name, count, len(places), c.named, c.wrong, c.missing,
				c.same, c.alias, c.past, c.stub, c.sameLine, c.otherLine)
		})
	}
	fmt.Fprintf(&table, "%d frames", frames)
	t.Logf("\n%s", table.String())
	if frames < testenv.Often(300, 1000) {
		t.Errorf("%d frames are few", frames)
	}
}

// verdict counts places.
type verdict struct{ named, wrong, missing, same, alias, past, stub, sameLine, otherLine int }

// judge holds every name against the truth.
func judge(t *testing.T, s sampled, n *namedLog, places map[framePlace]bool, judges map[string]*elftruth.Truth) *verdict {
	t.Helper()
	v := &verdict{}
	without := slices.Contains(s.flags, "--debug-dir=")
	for p := range places {
		m, symbol := n.modules[p.module], n.symbols[p]
		if strings.HasPrefix(m.Path, "[") {
			if symbol != nil {
				v.named++
			}
			continue
		}
		tr := s.truth(t, m.Path, judges)
		covering := tr.At(p.addr, false)
		if symbol == nil {
			// What only the debug file knows cannot be known without it.
			if without {
				covering = s.own(t, m.Path, judges).At(p.addr, false)
			}
			if filepath.Base(m.Path) == "libc.so.6" && !without && len(buildOf(m.Path)) > 1 {
				t.Errorf("%s: libc.so.6+%#x has no name, with libc6-dbg", s.name, p.addr)
			}
			if len(covering) > 0 && s.unstripped == "" {
				v.missing++
				t.Errorf("%s: %s+%#x: no name, though %q cover it", s.name, m.Path, p.addr, covering)
			}
			continue
		}
		v.named++
		last := symbol.Frames[len(symbol.Frames)-1]
		switch {
		case symbol.Source == "plt" || strings.HasSuffix(symbol.Source, "-nosize"):
			if len(covering) > 0 {
				v.wrong++
				t.Errorf("%s: %s+%#x: %s by %s, though %q cover it", s.name, m.Path, p.addr, last.Function, symbol.Source, covering)
			}
		case !carries(covering, last.Function, last.LinkageName):
			v.wrong++
			t.Errorf("%s: %s+%#x: named %s (%s) by %s; what covers it is %q", s.name, m.Path, p.addr, last.Function, last.LinkageName, symbol.Source, covering)
		}
		for _, f := range symbol.Frames[:len(symbol.Frames)-1] {
			if inlined := tr.At(p.addr, true); len(inlined) > 0 && !carries(inlined, f.Function, f.LinkageName) {
				v.wrong++
				t.Errorf("%s: %s+%#x: %s (%s) is not among what is inlined there, %q", s.name, m.Path, p.addr, f.Function, f.LinkageName, inlined)
			}
		}
	}
	return v
}

// truth is all that is known of a module's build, own what the module's file itself says.
func (s *sampled) truth(t *testing.T, path string, judges map[string]*elftruth.Truth) *elftruth.Truth {
	files := buildOf(path)
	if path == s.argv[0] && s.unstripped != "" {
		files = append(files, s.unstripped)
	}
	return judged(t, files, judges)
}

func (s *sampled) own(t *testing.T, path string, judges map[string]*elftruth.Truth) *elftruth.Truth {
	return judged(t, []string{path}, judges)
}

func judged(t *testing.T, files []string, judges map[string]*elftruth.Truth) *elftruth.Truth {
	key := strings.Join(files, "\n")
	if judges[key] == nil {
		judges[key] = truthOf(t, files...)
	}
	return judges[key]
}

// gdb asks "info symbol" for places with a name in the program, libc and libstdc++, and sorts the answers that differ:
// another name of the same code (alias), the nearest symbol before code that it does not cover (past), and
// names for PLT stubs, which are ours alone or its alone.
func (v *verdict) gdb(t *testing.T, s sampled, n *namedLog, places map[framePlace]bool, judges map[string]*elftruth.Truth, cache map[string]map[uint64]gdbAnswer) {
	t.Helper()
	byPath := map[string][]framePlace{}
	for p := range places {
		path := n.modules[p.module].Path
		switch base := filepath.Base(path); {
		case path == s.argv[0], base == "libc.so.6", strings.HasPrefix(base, "libstdc++"), base == "node", base == "redis-server", base == "cc1plus":
			byPath[path] = append(byPath[path], p)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		without := slices.Contains(s.flags, "--debug-dir=")
		answers := infoSymbols(t, path, without, byPath[path], cache)
		tr := s.truth(t, path, judges)
		for _, p := range byPath[path] {
			name, symbol := answers[p.addr].function, n.symbols[p]
			covering := tr.At(p.addr, false)
			ours, raw := "", ""
			if symbol != nil {
				last := symbol.Frames[len(symbol.Frames)-1]
				ours, raw = last.Function, last.LinkageName
			}
			if symbol != nil && symbol.Source == "dwarf" {
				inner := symbol.Frames[0]
				if line := fmt.Sprintf("%s:%d", filepath.Base(inner.File), inner.Line); line == answers[p.addr].line {
					v.sameLine++
				} else {
					v.otherLine++
					t.Logf("%s: %s+%#x: %s at %s, gdb says %s", s.name, filepath.Base(path), p.addr, inner.Function, line, answers[p.addr].line)
				}
			}
			switch {
			case name == ours || name == raw && raw != "":
				v.same++
			case symbol != nil && (symbol.Source == "plt" || strings.HasSuffix(symbol.Source, "-nosize")):
				v.stub++
			case slices.Contains(covering, name) || carries([]string{name}, ours, raw):
				v.alias++
			case name != "" && !carries(covering, name, name):
				v.past++ // gdb takes the nearest symbol before
			case name == "" && ours != "":
				v.alias++ // its table of symbols has none; ours comes from the debugging information
			default:
				t.Errorf("%s: %s+%#x: %q by us, %q by gdb; what covers it is %q", s.name, path, p.addr, ours, name, covering)
			}
		}
	}
}

// infoSymbols asks gdb about addresses of a file.
func infoSymbols(t *testing.T, path string, without bool, places []framePlace, cache map[string]map[uint64]gdbAnswer) map[uint64]gdbAnswer {
	t.Helper()
	testenv.Need(t, "gdb")
	key := fmt.Sprint(path, without)
	got := cache[key]
	if got == nil {
		got = map[uint64]gdbAnswer{}
		cache[key] = got
	}
	var script strings.Builder
	script.WriteString("set language c\nset print asm-demangle off\nset print demangle off\nset width 0\n")
	asked := 0
	for _, p := range places {
		if _, known := got[p.addr]; !known {
			got[p.addr] = gdbAnswer{}
			asked++
			fmt.Fprintf(&script, "printf \"at %%lx: \", %#xul\ninfo symbol %#x\ninfo line *%#x\n", p.addr, p.addr, p.addr)
		}
	}
	if asked == 0 {
		return got
	}
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte(script.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"-batch", "-nx", "-iex", "set auto-load off"}
	if without {
		args = append(args, "-iex", "set debug-file-directory /nonexistent")
	}
	out, err := exec.Command("gdb", append(args, "-x", file, path)...).Output()
	if err != nil {
		t.Fatalf("gdb %s: %v", path, err)
	}
	var addr uint64
	for line := range strings.Lines(string(out)) {
		if _, err := fmt.Sscanf(line, "at %x:", &addr); err == nil {
			_, rest, _ := strings.Cut(line, ": ")
			name, _, ok := strings.Cut(rest, " in section")
			if ok {
				name, _, _ = strings.Cut(name, " + ")
				name, _, _ = strings.Cut(name, "@@")
				got[addr] = gdbAnswer{function: name}
			}
			continue
		}
		// Line 5 of "a.c" starts at address …
		var number int
		if _, err := fmt.Sscanf(line, "Line %d of", &number); err == nil {
			if _, rest, ok := strings.Cut(line, `"`); ok {
				file, _, _ := strings.Cut(rest, `"`)
				got[addr] = gdbAnswer{got[addr].function, fmt.Sprintf("%s:%d", filepath.Base(file), number)}
			}
		}
	}
	return got
}

// gdbAnswer is what "info symbol" and "info line" say, "" for nothing.
type gdbAnswer struct{ function, line string }
