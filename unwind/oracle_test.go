package unwind

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// gdbFrames returns the pcs of the physical frames that gdb sees at the program's mark.
func gdbFrames(t *testing.T, env []string, argv ...string) []uint64 {
	t.Helper()
	testenv.Need(t, "gdb")
	args := append([]string{"-batch", "-nx", "-iex", "set debuginfod enabled off", "-iex", "set auto-load off",
		"-x", "testdata/oracle.py", "--args"}, argv...)
	cmd := exec.Command("gdb", args...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("gdb: %v\n%s", err, out)
	}
	var pcs []uint64
	for _, line := range strings.Split(string(out), "\n") {
		if hex, ok := strings.CutPrefix(line, "PC 0x"); ok {
			pc, err := strconv.ParseUint(hex, 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			pcs = append(pcs, pc)
		}
	}
	if len(pcs) == 0 {
		t.Fatalf("gdb shows no frames:\n%s", out)
	}
	return pcs
}

// TestAgainstGDB unwinds each program at its mark and compares frame by frame with gdb at the same point of a
// second run.
func TestAgainstGDB(t *testing.T) {
	env := []string{"PATH=/usr/bin:/bin"}
	for _, c := range []struct {
		name   string
		source string
		flags  []string
		end    End
		frames int      // at least
		hows   []How    // all of those that occur after the first frame
		args   []string // of the program
	}{
		{"deep", "deep.c", []string{"-O2"}, UndefinedRA, 2003, []How{CFI}, nil},
		{"deep -O0", "deep.c", []string{"-O0"}, UndefinedRA, 2003, []How{CFI}, nil},
		{"static", "deep.c", []string{"-O2", "-static"}, UndefinedRA, 2003, []How{CFI}, nil},
		{"static-pie", "sigaltstack.c", []string{"-O2", "-static-pie"}, UndefinedRA, 10, []How{CFI}, nil},
		{"DRAP", "frames.c", []string{"-O1"}, UndefinedRA, 7, []How{CFI}, nil},
		{"DRAP -O0", "frames.c", []string{"-O0", "-fomit-frame-pointer"}, UndefinedRA, 7, []How{CFI}, nil},
		{"sigaltstack", "sigaltstack.c", []string{"-O2"}, UndefinedRA, 10, []How{CFI}, nil},
		{"constructor", "constructor.c", []string{"-O2"}, UndefinedRA, 5, []How{CFI}, nil},
		{"thread", "thread.c", []string{"-O2", "-pthread"}, UndefinedRA, 7, []How{CFI}, nil},
		{"cleanup", "cleanup.cc", []string{"-O2"}, UndefinedRA, 5, []How{CFI}, nil},
		{"debug_frame", "pointers.c", []string{"-O2", "-g", "-fno-asynchronous-unwind-tables", "-fomit-frame-pointer"},
			UndefinedRA, 7, []How{CFI, DebugFrame}, nil},
		{"debug_frame, DWARF 5, zlib", "pointers.c", []string{"-O2", "-gdwarf-5", "-gz=zlib",
			"-fno-asynchronous-unwind-tables"}, UndefinedRA, 7, []How{CFI, DebugFrame}, nil},
		{"no search table", "pointers.c", []string{"-O2", "-Wl,--no-eh-frame-hdr"}, UndefinedRA, 7, []How{CFI}, nil},
		{"no libc", "raw.c", []string{"-O2", "-nostdlib", "-static"}, ELFEntry, 3, []How{CFI}, nil},
		{"Go", "goroutine.go", []string{"-buildmode=exe"}, GoExit, 6, []How{DebugFrame}, []string{"10"}},
		{"Go PIE", "goroutine.go", []string{"-buildmode=pie"}, GoExit, 6, []How{DebugFrame}, []string{"10"}},
	} {
		if (c.name == "static" || strings.HasSuffix(c.name, " -O0")) && !testenv.CI() {
			continue // what another case of the same source shows
		}
		t.Run(c.name, func(t *testing.T) {
			argv := append([]string{compile(t, c.source, c.flags...)}, c.args...)
			compareWithGDB(t, env, argv, c.end, c.frames, c.hows)
		})
	}
	t.Run("lazy PLT", func(t *testing.T) {
		so := filepath.Join(t.TempDir(), "liblazy.so")
		compileTo(t, so, "lazyplt.c", "-O2", "-DLIB", "-shared", "-fPIC")
		exe := compile(t, "lazyplt.c", "-O2", "-Wl,-z,lazy", so, "-Wl,-rpath,"+filepath.Dir(so))
		compareWithGDB(t, env, []string{exe}, UndefinedRA, 8, []How{CFI})
	})
	t.Run("constructor of a library", func(t *testing.T) {
		lib := compile(t, "constructor.c", "-O2", "-shared", "-fPIC")
		exe := compile(t, "raw.c", "-O2", "-nostartfiles", "-Wl,--no-as-needed", lib)
		compareWithGDB(t, env, []string{exe}, ELFEntry, 6, []How{CFI})
	})
}

func compareWithGDB(t *testing.T, env, argv []string, end End, frames int, hows []How) {
	t.Helper()
	want := gdbFrames(t, env, argv...)
	p := startTracee(t, env, nil, argv...)
	regs := p.mark()
	var st Stack
	s := NewSpace(p)
	s.Walk(&regs, p, 1<<16, &st)
	if st.End != end || len(st.Frames) < frames {
		t.Errorf("%d frames, %v; want at least %d, %v", len(st.Frames), st.End, frames, end)
	}
	if end.Complete() && len(want) < len(st.Frames) {
		t.Errorf("%d frames, gdb has %d", len(st.Frames), len(want))
	}
	for i, f := range st.Frames {
		if i < len(want) && f.PC != want[i] {
			t.Errorf("frame %d: %#x, gdb has %#x", i, f.PC, want[i])
			break
		}
	}
	seen := make(map[How]bool)
	for _, f := range st.Frames[1:] {
		seen[f.How] = true
	}
	for _, h := range hows {
		if !seen[h] {
			t.Errorf("no frame by %v", h)
		}
		delete(seen, h)
	}
	if len(seen) > 0 {
		t.Errorf("frames by %v", seen)
	}
	// Once more, over known code.
	var again Stack
	s.Walk(&regs, p, 1<<16, &again)
	if again.dump() != st.dump() {
		t.Errorf("a second walk differs:\n%s", again.dump())
	}
	if t.Failed() {
		t.Logf("walk:\n%sgdb: %#x", tail(st.dump()), want[:min(len(want), 40)])
	}
}

func tail(s string) string { return s[max(0, len(s)-4000):] }
