package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// namedLog is a log by what its frames are called.
type namedLog struct {
	modules map[int]*eventlog.Module
	stacks  map[int]*eventlog.Stack
	symbols map[framePlace]*eventlog.Symbol
	mmaps   map[uint64][]int // stacks of the mmap calls by length
}

type framePlace struct {
	module int
	addr   uint64
}

// namedFrame is a frame of a stack and what it is called.
type namedFrame struct {
	module *eventlog.Module
	addr   uint64 // that was looked up
	symbol *eventlog.Symbol
}

// function is the name of the physical frame, "" for none.
func (f namedFrame) function() string {
	if f.symbol == nil {
		return ""
	}
	return f.symbol.Frames[len(f.symbol.Frames)-1].Function
}

// recordNames records a program and reads the log, which must pass the check.
func recordNames(t *testing.T, flags []string, argv ...string) (*namedLog, outcome) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log.jsonl")
	args := append([]string{built.vmblame, "run", "-q", "-o", log}, flags...)
	out := start(t, dir, filepath.Join(dir, "account"), append(append(args, "--"), argv...)...)
	defer func() {
		if t.Failed() {
			t.Logf("%s: %s", out.status, out.stderr)
		}
	}()
	return readNames(t, log), out
}

func readNames(t *testing.T, log string) *namedLog {
	t.Helper()
	if err := eventlog.CheckFile(log, func(p eventlog.Problem) { t.Errorf("check: %v", p) }); err != nil {
		t.Fatal(err)
	}
	r, err := eventlog.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n := &namedLog{map[int]*eventlog.Module{}, map[int]*eventlog.Stack{}, map[framePlace]*eventlog.Symbol{}, map[uint64][]int{}}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		switch rec := rec.(type) {
		case *eventlog.Space:
			// What a program told of its code stays behind.
			t.Cleanup(func() { os.Remove(fmt.Sprintf("/tmp/perf-%d.map", rec.PID)) })
		case *eventlog.Module:
			n.modules[rec.Module] = rec
		case *eventlog.Stack:
			n.stacks[rec.Stack] = rec
		case *eventlog.Symbol:
			n.symbols[framePlace{rec.Module, uint64(rec.Offset)}] = rec
		case *eventlog.Event:
			if rec.Call == "mmap" && rec.Stack != nil && rec.Error == "" {
				length := uint64(rec.Args[1].Value)
				n.mmaps[length] = append(n.mmaps[length], *rec.Stack)
			}
		}
	}
}

// frames names the frames of a stack.
func (n *namedLog) frames(stack int) []namedFrame {
	var list []namedFrame
	for _, f := range n.stacks[stack].Frames {
		addr := uint64(f.Offset)
		if f.Call {
			addr--
		}
		list = append(list, namedFrame{n.modules[f.Module], addr, n.symbols[framePlace{f.Module, addr}]})
	}
	return list
}

// mapped returns the frames of the only mmap of that length.
func (n *namedLog) mapped(t *testing.T, length uint64) []namedFrame {
	t.Helper()
	if len(n.mmaps[length]) != 1 {
		t.Fatalf("%d mmap calls of %#x bytes", len(n.mmaps[length]), length)
	}
	return n.frames(n.mmaps[length][0])
}

// called lists the functions of the frames, "?" for those without a name.
func called(frames []namedFrame) []string {
	var list []string
	for _, f := range frames {
		name := f.function()
		if name == "" {
			name = "?"
		}
		list = append(list, name)
	}
	return list
}

// in returns the frames whose module has that path's last element.
func in(frames []namedFrame, base string) []namedFrame {
	return slices.DeleteFunc(slices.Clone(frames), func(f namedFrame) bool { return filepath.Base(f.module.Path) != base })
}

// command runs a tool that a test needs.
func command(t *testing.T, argv ...string) {
	t.Helper()
	dir := t.TempDir()
	if o := start(t, dir, filepath.Join(dir, "account"), argv...); o.status != "exit status 0" {
		t.Fatalf("%s: %s: %s", strings.Join(argv, " "), o.status, o.stderr)
	}
}

// library compiles a library whose function fn maps length bytes.
func library(t *testing.T, path, fn, length string, flags ...string) {
	t.Helper()
	source := filepath.Join(t.TempDir(), "lib.c")
	text := "#include <sys/mman.h>\nvoid *" + fn + "(void) { void *p = mmap(0, " + length +
		", PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); __asm__ volatile(\"\"); return p; }\n"
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, append([]string{"gcc", "-O1", "-g", "-fPIC", "-shared", "-o", path, source}, flags...)...)
}

// copyFile copies a file with its mode, changed by edit where that is given.
func copyFile(t *testing.T, from, to string, edit func([]byte)) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(b)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, st.Mode().Perm()|0o600); err != nil {
		t.Fatal(err)
	}
}
