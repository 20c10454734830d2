package classify

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// These tests record programs that say themselves what their memory is, and hold the verdicts against it.

var built struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	testenv.Clean()
	status := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(status)
}

// executable builds vmblame once and returns where it is.
func executable(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "vmblame-kinds-"); built.err != nil {
			return
		}
		_, built.err = testenv.Executable(built.dir)
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "vmblame")
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	testenv.Need(t, name)
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// recordTruth records a program that ends by killing itself, and returns its space at that moment and what
// it wrote.
func recordTruth(t *testing.T, flags []string, program ...string) (*Space, string) {
	t.Helper()
	testenv.Need(t, "ptrace", program[0])
	log := filepath.Join(t.TempDir(), "log.jsonl")
	vmblame := executable(t) // may build it, which is not what the time is for
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	args := append([]string{"run", "-q", "-o", log}, flags...)
	cmd := exec.CommandContext(ctx, vmblame, append(append(args, "--"), program...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() >= 0 {
		t.Fatalf("%v was to end by a signal: %v\n%s%s", program, err, stdout.String(), stderr.String())
	}
	if ctx.Err() != nil {
		t.Fatalf("%v had not ended after three minutes\n%s%s", program, stdout.String(), stderr.String())
	}
	p := replayLog(t, log, nil)
	// The program may have begun as a script that ran others first.
	space := p.Spaces()[0]
	for _, s := range p.Spaces() {
		if s.PID == space.PID {
			space = s
		}
	}
	return p.space(space.ID), stdout.String() + stderr.String()
}

// checkTruth holds verdicts against lines "range KIND START END TID", "sum KIND BYTES" and "accessible KIND
// BYTES".
func checkTruth(t *testing.T, s *Space, text string) {
	t.Helper()
	out := Known().Classify(s)
	checkSound(t, s, out)
	claims := 0
	for line := range strings.Lines(text) {
		var kind string
		var start, end, want uint64
		var tid int
		if n, _ := fmt.Sscanf(line, "range %s %v %v %d", &kind, &start, &end, &tid); n == 4 {
			claims++
			var covered uint64
			for i := range s.Entries {
				x := s.Entries[i].Intersect(vm.Range{Start: start, End: end})
				covered += x.Len()
				if !x.Empty() && (string(out[i].Kind) != kind || tid != 0 && out[i].TID != tid) {
					t.Errorf("%s is %s of thread %d (%s: %s)\nthe program says: %s", s.Entries[i].Mapping, out[i].Kind, out[i].TID, out[i].Confidence, out[i].Evidence, line)
				}
			}
			if covered != end-start {
				t.Errorf("%d bytes are mapped of %s", covered, line)
			}
			continue
		}
		var what string
		if n, _ := fmt.Sscanf(line, "%s %s %d", &what, &kind, &want); n == 3 && (what == "sum" || what == "accessible") {
			claims++
			var sum uint64
			for i := range s.Entries {
				if string(out[i].Kind) == kind && (what == "sum" || accessible(&s.Entries[i])) {
					sum += s.Entries[i].Len()
				}
			}
			if sum != want {
				t.Errorf("%d bytes are %s, the program says %d", sum, kind, want)
			}
		}
	}
	if claims == 0 {
		t.Errorf("the program said nothing: %s", text)
	}
}

// each runs a check with the names that the log has, and with those of a stripped C library.
func each(t *testing.T, s *Space, text string) {
	t.Helper()
	t.Run("names", func(t *testing.T) { checkTruth(t, s, text) })
	bare := *s
	bare.Frames = stripped(s.Frames)
	t.Run("stripped", func(t *testing.T) { checkTruth(t, &bare, text) })
}

func TestTruthGlibc(t *testing.T) {
	program := filepath.Join(t.TempDir(), "truth")
	run(t, "gcc", "-g", "-O1", "-pthread", "-Wl,-z,relro,-z,now", "-o", program, "testdata/truth_glibc.c")
	for _, flags := range [][]string{nil, {"--no-aslr"}} {
		s, text := recordTruth(t, flags, program)
		each(t, s, text)
	}
}

// TestTruthStatic has its C library in itself.
func TestTruthStatic(t *testing.T) {
	program := filepath.Join(t.TempDir(), "truth")
	run(t, "gcc", "-g", "-O1", "-pthread", "-static", "-o", program, "testdata/truth_glibc.c")
	s, text := recordTruth(t, nil, program)
	// A static program at a fixed address has neither relocated constants nor a segment for each.
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "elf-relro") {
			lines = append(lines, line)
		}
	}
	checkTruth(t, s, strings.Join(lines, ""))
}

// TestTruthNoStacks: arenas and stacks are known from the calls alone.
func TestTruthNoStacks(t *testing.T) {
	program := filepath.Join(t.TempDir(), "truth")
	run(t, "gcc", "-g", "-O1", "-pthread", "-o", program, "testdata/truth_glibc.c")
	s, text := recordTruth(t, []string{"--no-stacks"}, program)
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "range") && !strings.Contains(line, " direct ") && !strings.Contains(line, " reserved ") && !strings.Contains(line, " elf-relro ") {
			lines = append(lines, line)
		}
	}
	checkTruth(t, s, strings.Join(lines, ""))
}

func TestTruthJemalloc(t *testing.T) {
	testenv.Need(t, "libjemalloc.so")
	program := filepath.Join(t.TempDir(), "truth")
	run(t, "gcc", "-g", "-O1", "-pthread", "-o", program, "testdata/truth_jemalloc.c", "-ldl")
	s, text := recordTruth(t, []string{"--env", "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
		"--env", "MALLOC_CONF=dirty_decay_ms:0,muzzy_decay_ms:0,background_thread:false,narenas:3"}, program)
	each(t, s, text)
}

func TestTruthGo(t *testing.T) {
	program := filepath.Join(t.TempDir(), "truth")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./testdata/truth_go")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s, text := recordTruth(t, nil, program)
	each(t, s, text)
	s.AnonName = func(int) string { return "" }
	for i := range s.Entries {
		if strings.HasPrefix(s.Entries[i].File.Path, "[anon:") {
			s.Entries[i].File.Path = ""
		}
	}
	checkTruth(t, s, text)
}

func TestTruthPython(t *testing.T) {
	s, text := recordTruth(t, nil, testenv.Python(t), "-c", `
import os, signal, sys
keep = [str(i) * 3 for i in range(100000)]
sys._debugmallocstats()
os.kill(os.getpid(), signal.SIGKILL)
`)
	m := regexp.MustCompile(`(?m)^(\d+) arenas \* (\d+) bytes/arena`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no arenas in %s", text)
	}
	var n, size int
	fmt.Sscan(m[1], &n)
	fmt.Sscan(m[2], &size)
	// The interpreter's frame stacks come from the same function; they have a name of their own.
	for i, d := range Known().Classify(s) {
		if d.Kind == CPython && d.Name == Known().Row(CPython).Words.One {
			n--
			if got := s.Entries[i].Len(); got != uint64(size) {
				t.Errorf("an arena of %d bytes, want %d", got, size)
			}
		}
	}
	if n != 0 {
		t.Errorf("%d arenas more than were found", n)
	}
}
