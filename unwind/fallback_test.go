package unwind

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/elftruth"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// ownList runs a program to its mark and returns the return addresses that it wrote itself, and the walk.
func ownList(t *testing.T, path string) ([]uint64, *Stack) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := startTracee(t, []string{"PATH=/usr/bin:/bin"}, w, path)
	w.Close()
	regs := p.mark()
	var st Stack
	NewSpace(p).Walk(&regs, p, 0, &st)
	p.kill()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var list []uint64
	for ; len(b) >= 8; b = b[8:] {
		list = append(list, binary.LittleEndian.Uint64(b))
	}
	if len(list) == 0 {
		t.Fatal("the program wrote no list")
	}
	return list, &st
}

// TestWithoutTables compares with the program's own return addresses where gdb has nothing to go by.
func TestWithoutTables(t *testing.T) {
	const bare = "-fno-asynchronous-unwind-tables"
	strip := func(t *testing.T, path string) {
		t.Helper()
		testenv.Need(t, "strip")
		if b, err := exec.Command("strip", path).CombinedOutput(); err != nil {
			t.Fatalf("strip: %v\n%s", err, b)
		}
	}
	for _, c := range []struct {
		name   string
		source string
		flags  []string
		end    End
		skip   int   // frames before those of the list
		hows   []How // of the frames of the list
	}{
		{"frame pointers", "pointers.c", []string{"-O1", bare, "-fno-omit-frame-pointer"},
			UndefinedRA, 2, []How{Epilogue, Epilogue, Epilogue}},
		{"no frame pointers", "pointers.c", []string{"-O2", bare, "-fomit-frame-pointer"},
			UndefinedRA, 2, []How{Epilogue, Epilogue, Epilogue}},
		{"no libc", "raw.c", []string{"-O1", "-nostdlib", "-static", bare, "-fno-omit-frame-pointer"},
			ELFEntry, 1, []How{Epilogue, Epilogue}},
		{"no way back", "noreturn.c", []string{"-O2", "-nostdlib", "-static", bare}, ELFEntry, 1, []How{Epilogue, Epilogue, Scan}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := compile(t, c.source, c.flags...)
			strip(t, path)
			list, st := ownList(t, path)
			if st.End != c.end || len(st.Frames) < c.skip+len(list) || len(list) != len(c.hows) {
				t.Fatalf("%v, want %v:\n%s", st.End, c.end, st.dump())
			}
			for i, want := range list {
				if f := st.Frames[c.skip+i]; f.PC != want || f.How != c.hows[i] || !f.Call {
					t.Errorf("frame %d: %#x by %v, want %#x by %v", c.skip+i, f.PC, f.How, want, c.hows[i])
				}
			}
			if t.Failed() {
				t.Log(st.dump())
			}
		})
	}
	t.Run("separate debug file", func(t *testing.T) {
		path := compile(t, "pointers.c", "-O2", "-g", "-fno-asynchronous-unwind-tables", "-fomit-frame-pointer")
		debug := path + ".debug"
		testenv.Need(t, "objcopy")
		for _, argv := range [][]string{{"objcopy", "--only-keep-debug", path, debug},
			{"objcopy", "--strip-all", "--add-gnu-debuglink=" + debug, path}} {
			if b, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %v\n%s", argv, err, b)
			}
		}
		list, st := ownList(t, path)
		if st.End != UndefinedRA || len(st.Frames) < 2+len(list) {
			t.Fatal(st.dump())
		}
		for i, want := range list {
			if f := st.Frames[2+i]; f.PC != want || f.How != DebugFrame {
				t.Errorf("frame %d: %#x by %v, want %#x", 2+i, f.PC, f.How, want)
			}
		}
	})
}

// TestStrippedGo unwinds a Go program without .debug_frame and compares with gdb on the same program with it:
// the linker lays out the same code.
func TestStrippedGo(t *testing.T) {
	env := []string{"PATH=/usr/bin:/bin"}
	for _, mode := range []string{"exe", "pie"} {
		t.Run(mode, func(t *testing.T) {
			full := compile(t, "goroutine.go", "-buildmode="+mode)
			stripped := compile(t, "goroutine.go", "-buildmode="+mode, "-ldflags=-s -w")
			want := gdbFrames(t, env, full, "10")
			if n := len(want); want[n-1] == 0 {
				want = want[:n-1] // goexit has no caller; gdb's table does not say so
			}
			p := startTracee(t, env, nil, stripped, "10")
			regs := p.mark()
			var st Stack
			NewSpace(p).Walk(&regs, p, 0, &st)
			var got []uint64
			for i, f := range st.Frames {
				got = append(got, f.PC)
				if i > 0 && f.How != GoPclntab {
					t.Errorf("frame %d by %v", i, f.How)
				}
			}
			if !slices.Equal(got, want) || st.End != GoExit {
				t.Errorf("gdb: %#x\n%s", want, st.dump())
			}
		})
	}
}

// TestGoStackSwitch unwinds Go programs at each of their mapping calls. Most are made on a thread's own stack
// on behalf of a goroutine: growing the heap goes through systemstack, growing the goroutine's stack through
// morestack, C code through asmcgocall, and from C back through cgocallback. All walks must reach the root of
// a goroutine, of a thread, or of the program, and the callers must be the right ones.
func TestGoStackSwitch(t *testing.T) {
	goroutine := [][]string{
		{"runtime.systemstack", "runtime.mallocgc", "main.grow", "main.main.func1", "runtime.goexit"},
		{"runtime.newstack", "runtime.morestack", "main.deep", "main.main.func1", "runtime.goexit"},
	}
	callback := [][]string{
		{"mapper", "runtime.asmcgocall", "main.main.func1", "runtime.goexit"},
		{"runtime.systemstack", "main.grow", "runtime.cgocallback", "crosscall2", "back", "caller", "runtime.asmcgocall",
			"runtime.cgocall", "main.main.func1", "runtime.goexit"},
	}
	for _, c := range []struct {
		name, source string
		flags        []string
		chains       [][]string
	}{
		{"debug_frame", "goroutine.go", []string{"-buildmode=exe"}, goroutine},
		{"stripped", "goroutine.go", []string{"-buildmode=exe", "-ldflags=-s -w"}, goroutine},
		{"cgo", "callback.go", []string{"-buildmode=exe"}, callback},
		{"cgo stripped", "callback.go", []string{"-buildmode=exe", "-ldflags=-s -w"}, callback},
	} {
		t.Run(c.name, func(t *testing.T) {
			truth := elftruth.New(elftruth.Symbols(t, compile(t, c.source, c.flags[0])))
			p := startTracee(t, []string{"GOGC=off"}, nil, compile(t, c.source, c.flags...), "20000")
			s := NewSpace(p)
			var st Stack
			seen, walks := make([]bool, len(c.chains)), 0
			for {
				tid, r, ok := p.next()
				if !ok {
					break
				}
				regs := toRegs(&r)
				s.Walk(&regs, p, 1<<16, &st)
				walks++
				if !st.End.Complete() {
					t.Errorf("%v:\n%s", st.End, tail(st.dump()))
				}
				names := namesOf(truth, p, &st)
				if n := count(names, "runtime.asmcgocall"); n > 1 {
					t.Errorf("C was entered %d times:\n%s", n, st.dump())
				}
				for i, chain := range c.chains {
					seen[i] = seen[i] || follows(names, chain...)
				}
				p.resume(tid, 0)
			}
			for i, ok := range seen {
				if !ok {
					t.Errorf("none of %d walks goes through %v", walks, c.chains[i])
				}
			}
		})
	}
}

func count(names []string, name string) (n int) {
	for _, x := range names {
		if x == name {
			n++
		}
	}
	return n
}

// follows reports whether the wanted names occur in this order, the last one last.
func follows(names []string, want ...string) bool {
	if len(names) == 0 || names[len(names)-1] != want[len(want)-1] {
		return false
	}
	for _, n := range names {
		if len(want) > 0 && n == want[0] {
			want = want[1:]
		}
	}
	return len(want) == 0
}

// namesOf finds the functions of the frames in the program itself; those of other files are "?".
func namesOf(truth *elftruth.Truth, p *tracee, st *Stack) []string {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.pid))
	if err != nil {
		p.t.Fatal(err)
	}
	var names []string
	for _, f := range st.Frames {
		name := "?"
		if f.Module.file != nil && f.Module.file.Name() == exe {
			if covering := truth.At(vm.CodeAddr{PC: f.Offset, Call: f.Call}.Lookup(), false); len(covering) > 0 {
				name = strings.TrimSuffix(strings.TrimSuffix(covering[0], ".abi0"), ".constprop.0")
			}
		}
		names = append(names, name)
	}
	return names
}

// TestRulesOfLibc asks for the rules of every function of a static program: nearly all of the C library.s
// have some, and none may be refused as malformed.
func TestRulesOfLibc(t *testing.T) {
	path := compile(t, "deep.c", "-O2", "-static")
	p := startTracee(t, nil, nil, path)
	regs := p.mark()
	m, _, ok := p.CodeAt(regs[RegRIP])
	if !ok || filepath.Base(m.file.Name()) != "deep" {
		t.Fatalf("no code at %#x", regs[RegRIP])
	}
	total, untold := 0, 0
	for _, s := range elftruth.Symbols(t, path) {
		for _, pc := range []uint64{s.Start, s.Start + (s.End-s.Start)/2, s.End - 1} {
			total++
			if r := m.row(vm.CodeAddr{PC: pc}); r.kind == kindFP {
				untold++
				if r.end == BadFDE {
					t.Errorf("%s: malformed table", s.Name)
				}
			}
		}
	}
	if total < 3000 || untold*100 > total {
		t.Errorf("%d of %d pcs have no rule", untold, total)
	}
}
