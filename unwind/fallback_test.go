package unwind

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
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
	strip := func(t *testing.T, path string) {
		t.Helper()
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
		{"frame pointers", "pointers.c", []string{"-O1", "-fno-asynchronous-unwind-tables", "-fno-omit-frame-pointer"},
			UndefinedRA, 2, []How{FP, FP, FP}},
		{"frame pointers, no libc", "raw.c", []string{"-O1", "-nostdlib", "-static", "-fno-asynchronous-unwind-tables",
			"-fno-omit-frame-pointer"}, ELFEntry, 1, []How{Leaf, FP}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := compile(t, c.source, c.flags...)
			strip(t, path)
			list, st := ownList(t, path)
			if st.End != c.end || len(st.Frames) < c.skip+len(list) {
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
	t.Run("nothing", func(t *testing.T) {
		path := compile(t, "pointers.c", "-O2", "-fno-asynchronous-unwind-tables", "-fomit-frame-pointer")
		strip(t, path)
		list, st := ownList(t, path)
		if st.End != NoCFI || len(st.Frames) != 2 {
			t.Errorf("%v after %d frames, want %v after 2; the program's list is %#x\n%s",
				st.End, len(st.Frames), NoCFI, list, st.dump())
		}
	})
	t.Run("separate debug file", func(t *testing.T) {
		path := compile(t, "pointers.c", "-O2", "-g", "-fno-asynchronous-unwind-tables", "-fomit-frame-pointer")
		debug := path + ".debug"
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

// TestGoStackSwitch unwinds a Go program at each of its mapping calls. Most are made on a thread's own stack
// on behalf of a goroutine: growing the heap goes through systemstack, growing the goroutine's stack through
// morestack. All must reach the root of the goroutine or of the thread, and the callers must be the right ones.
func TestGoStackSwitch(t *testing.T) {
	for name, flags := range map[string][]string{"debug_frame": nil, "stripped": {"-ldflags=-s -w"}} {
		t.Run(name, func(t *testing.T) {
			symbols := symbolsOf(t, compile(t, "goroutine.go"))
			p := startTracee(t, []string{"GODEBUG=", "GOGC=off"}, nil, compile(t, "goroutine.go", flags...), "20000")
			s := NewSpace(p)
			var st Stack
			heap, stack, walks := false, false, 0
			for {
				tid, r, ok := p.next()
				if !ok {
					break
				}
				regs := toRegs(&r)
				s.Walk(&regs, p, 1<<16, &st)
				walks++
				if !st.End.Complete() {
					t.Errorf("%v:\n%s", st.End, st.dump())
				}
				names := symbols.names(&st)
				heap = heap || follows(names, "runtime.systemstack", "runtime.mallocgc", "main.grow", "main.main.func1", "runtime.goexit")
				stack = stack || follows(names, "runtime.newstack", "runtime.morestack", "main.deep", "main.main.func1", "runtime.goexit")
				p.resume(tid, 0)
			}
			if !heap || !stack || walks < 10 {
				t.Errorf("of %d walks none went from the heap's growth (%v) or the stack's (%v) to the goroutine", walks, heap, stack)
			}
		})
	}
}

// follows tells whether the wanted names occur in this order, the last one last.
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

type symbolTable []elf.Symbol

func symbolsOf(t *testing.T, path string) symbolTable {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Value < list[j].Value })
	return list
}

func (list symbolTable) names(st *Stack) []string {
	var names []string
	for _, f := range st.Frames {
		look := f.Offset
		if f.Call {
			look--
		}
		name := "?"
		i := sort.Search(len(list), func(i int) bool { return list[i].Value > look })
		for i--; i >= 0 && list[i].Value+list[i].Size <= look && i > 0; i-- {
		}
		if i >= 0 {
			name = strings.TrimSuffix(list[i].Name, ".abi0")
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
	for _, s := range symbolsOf(t, path) {
		if elf.ST_TYPE(s.Info) != elf.STT_FUNC || s.Size == 0 {
			continue
		}
		for _, pc := range []uint64{s.Value, s.Value + s.Size/2, s.Value + s.Size - 1} {
			total++
			if r := m.row(pc, false); r.kind == kindFP {
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
