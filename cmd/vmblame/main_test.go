package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

// binary is the executable under test. Its folder can be read by every user.
var binary string

func TestMain(m *testing.M) {
	testenv.Clean()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "vmblame")
		if err == nil {
			err = os.Chmod(dir, 0o755)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if binary, err = testenv.Executable(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// limit is how long a test waits for something that takes a moment; nothing is expected to come near it.
const limit = 3 * time.Minute

// result is how a vmblame ended.
type result struct {
	status         int // exit status, -1 where a signal killed it
	signal         syscall.Signal
	stdout, stderr string
}

// vmblame runs the executable in a folder of its own, dir where that is not empty.
func vmblame(t *testing.T, dir string, args ...string) result {
	t.Helper()
	return finish(t, command(t, dir, args...))
}

func command(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	if len(args) > 0 && args[0] == "run" {
		testenv.Need(t, "ptrace")
	} else if len(args) > 0 && args[0] == "attach" {
		testenv.Need(t, "attach")
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.WaitDelay = 30 * time.Second // a program that outlives vmblame holds the pipes
	cmd.Dir = dir
	if dir == "" {
		cmd.Dir = t.TempDir()
	}
	return cmd
}

func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return resultOf(t, cmd, out.String(), errs.String())
}

func resultOf(t *testing.T, cmd *exec.Cmd, stdout, stderr string) result {
	t.Helper()
	ws := cmd.ProcessState.Sys().(syscall.WaitStatus)
	r := result{status: ws.ExitStatus(), stdout: stdout, stderr: stderr}
	if ws.Signaled() {
		r.signal = ws.Signal()
	}
	if strings.Contains(r.stderr, "goroutine ") {
		t.Errorf("a stack trace on standard error:\n%s", r.stderr)
	}
	return r
}

// wants fails the test unless r has the status and all words stand on standard error.
func (r result) wants(t *testing.T, status int, words ...string) {
	t.Helper()
	if r.status != status {
		t.Errorf("exit status %d (%v), want %d", r.status, r.signal, status)
	}
	for _, w := range words {
		if !strings.Contains(r.stderr, w) {
			t.Errorf("%q is missing", w)
		}
	}
	if t.Failed() {
		t.Fatalf("standard error:\n%s", r.stderr)
	}
}

// records reads a log and fails the test unless it is whole and consistent.
func records(t *testing.T, log string) []eventlog.Record {
	t.Helper()
	if err := eventlog.CheckFile(log, func(p eventlog.Problem) { t.Errorf("%s: %v", filepath.Base(log), p) }); err != nil {
		t.Fatal(err)
	}
	return read(t, log)
}

// read reads a log up to its end. Events and drifts are counted on, not kept: they are the reader's.
func read(t *testing.T, log string) []eventlog.Record {
	t.Helper()
	r, err := eventlog.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all []eventlog.Record
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := rec.(*eventlog.Event); ok {
			c := *e
			rec = &c
		}
		all = append(all, rec)
	}
}

// pick returns the records of one type.
func pick[T eventlog.Record](all []eventlog.Record) []T {
	var some []T
	for _, r := range all {
		if x, ok := r.(T); ok {
			some = append(some, x)
		}
	}
	return some
}

// until waits for ok, which is asked again and again.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s did not come", what)
}

// statusLine is a line of /proc/PID/status, "" where there is none.
func statusLine(pid int, key string) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func tracerOf(pid int) string { return statusLine(pid, "TracerPid") }

// background starts a program that is killed when the test ends.
func background(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	testenv.Need(t, name)
	cmd := exec.Command(name, args...)
	start(t, cmd)
	return cmd
}

func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}

// TestPanic: a bug of ours is one line and the status of a vmblame that failed.
func TestPanic(t *testing.T) {
	root := rootCommand()
	root.AddCommand(&cobra.Command{Use: "boom", Run: func(*cobra.Command, []string) { panic("first\nsecond") }})
	var b bytes.Buffer
	if status := execute(root, []string{"boom"}, &b); status != exitRunFailed {
		t.Errorf("exit status %d", status)
	}
	if got, want := b.String(), "vmblame: internal error: first: please report it\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestCommands: each command has its help, and no flag of the contract is missing.
func TestCommands(t *testing.T) {
	flags := map[string]string{
		"run":       "output live no-stacks max-frames snapshot-every advice verify no-follow debug-dir debuginfod quiet backend no-aslr no-seccomp jit-names env chdir user max-addresses max-resident max-mappings junit",
		"attach":    "output live no-stacks max-frames snapshot-every advice verify no-follow debug-dir debuginfod quiet backend duration",
		"export":    "format at pid value table output json",
		"watch":     "output map",
		"symbolize": "output debug-dir debuginfod",
		"check":     "json",
		"report":    "json bytes wide pid by sort min-size vmas columns top all since until kind function file thread",
		"blame":     "json bytes wide pid stacks",
		"history":   "json bytes wide pid stacks",
		"failed":    "json bytes wide pid since until function thread",
		"growth":    "json bytes wide pid top all since until kind function file thread",
		"diff":      "json bytes wide pid since kind function file thread fail-over junit",
		"html":      "output pid json",
		"serve":     "port pid",
		"map":       "output json",
		"version":   "json",
	}
	for _, cmd := range subcommands() {
		want, ok := flags[cmd.Name()]
		if !ok {
			t.Errorf("%s: not in the list", cmd.Name())
			continue
		}
		delete(flags, cmd.Name())
		for _, name := range strings.Fields(want) {
			if cmd.Flags().Lookup(name) == nil {
				t.Errorf("%s: no --%s", cmd.Name(), name)
			}
		}
		if cmd.Short == "" || cmd.RunE == nil {
			t.Errorf("%s: no text or nothing to run", cmd.Name())
		}
	}
	for name := range flags {
		t.Errorf("%s: no such command", name)
	}
	for _, short := range []string{"o", "q"} {
		if runCommand().Flags().ShorthandLookup(short) == nil {
			t.Errorf("run: no -%s", short)
		}
	}
}

func TestQuote(t *testing.T) {
	for name, want := range map[string]string{
		"vmblame.1.jsonl": "vmblame.1.jsonl", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$x": "'$x'",
	} {
		if got := quote(name); got != want {
			t.Errorf("quote(%q) = %s, want %s", name, got, want)
		}
	}
}
