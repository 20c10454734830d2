package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

// TestRunStatus: vmblame ends as the program ended, and the program's output is its own.
func TestRunStatus(t *testing.T) {
	for _, c := range []struct {
		script string
		status int
		signal syscall.Signal
	}{
		{"exit 0", 0, 0},
		{"exit 7", 7, 0},
		{"exit 127", 127, 0},
		{"exit 255", 255, 0},
		{"kill -TERM $$", -1, syscall.SIGTERM},
		{"kill -INT $$", -1, syscall.SIGINT},
		{"kill -HUP $$", -1, syscall.SIGHUP},
		{"kill -QUIT $$", -1, syscall.SIGQUIT},
		{"kill -SEGV $$", -1, syscall.SIGSEGV},
		{"kill -ABRT $$", -1, syscall.SIGABRT},
		{"kill -PIPE $$", -1, syscall.SIGPIPE},
		{"kill -USR1 $$", -1, syscall.SIGUSR1},
		{"kill -KILL $$", -1, syscall.SIGKILL},
		{"kill -40 $$", -1, syscall.Signal(40)},
	} {
		t.Run(c.script, func(t *testing.T) {
			dir := t.TempDir()
			r := vmblame(t, dir, "run", "-o", "log.jsonl", "sh", "-c", "ulimit -c 0; echo out; "+c.script)
			r.wants(t, c.status, "mapped", "explained")
			if r.signal != c.signal {
				t.Errorf("ended by signal %v, want %v", r.signal, c.signal)
			}
			if r.stdout != "out\n" {
				t.Errorf("standard output %q", r.stdout)
			}
			ends := pick[*eventlog.End](records(t, filepath.Join(dir, "log.jsonl")))
			if len(ends) != 1 || ends[0].Exit == nil {
				t.Fatalf("no exit in the log's end: %+v", ends)
			}
			switch x := ends[0].Exit; {
			case c.signal != 0 && (x.Signal == nil || *x.Signal != int(c.signal)):
				t.Errorf("the log's end: %+v, want signal %d", x, c.signal)
			case c.signal == 0 && (x.Code == nil || *x.Code != c.status):
				t.Errorf("the log's end: %+v, want code %d", x, c.status)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "core*")); len(left) > 0 {
				t.Errorf("vmblame left a core: %v", left) // the program may not
			}
		})
	}
}

// TestRunCannot: 127 not found, 126 not executable, 125 vmblame's own failure.
func TestRunCannot(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	noExec := file("noexec", "#!/bin/sh\n", 0o644)
	noFormat := file("noformat", "\x7fELF rubbish", 0o755)
	noInterpreter := file("nointerpreter", "#!/nosuch/interpreter\n", 0o755)
	text := file("text", "something dear\n", 0o644)
	for _, c := range []struct {
		name   string
		args   []string
		status int
		words  []string
	}{
		{"no such command", []string{"nosuchcommand"}, 127, []string{"nosuchcommand", "not found"}},
		{"no such path", []string{"/no/such/program"}, 127, []string{"/no/such/program", "not found"}},
		{"empty name", []string{""}, 127, []string{"not found"}},
		{"folder", []string{dir}, 126, []string{dir}},
		{"no x", []string{noExec}, 126, []string{noExec}},
		{"no format", []string{noFormat}, 126, []string{noFormat, "not executable"}},
		{"no interpreter", []string{noInterpreter}, 126, []string{noInterpreter, "not executable", "interpreter"}},
		{"no chdir", []string{"--chdir", "/no/such/dir", "true"}, 125, []string{"/no/such/dir"}},
		{"no user", []string{"--user", "nosuchuser", "true"}, 125, []string{"nosuchuser"}},
		{"log in no folder", []string{"-o", "/no/such/log", "true"}, 125, []string{"/no/such/log", "no such file"}},
		{"log is a folder", []string{"-o", dir, "true"}, 125, []string{dir}},
		{"log is a text", []string{"-o", text, "true"}, 125, []string{text, "not a vmblame log"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			work := t.TempDir()
			r := vmblame(t, work, append([]string{"run"}, c.args...)...)
			r.wants(t, c.status, c.words...)
			if n := strings.Count(r.stderr, "\n"); n > 2 || !strings.HasPrefix(r.stderr, "vmblame: ") || r.stdout != "" {
				t.Errorf("%d lines:\n%s%s", n, r.stderr, r.stdout)
			}
			if c.status == 126 && !strings.Contains(r.stderr, "permission denied") && !strings.Contains(r.stderr, "not executable") {
				t.Errorf("neither permission denied nor not executable:\n%s", r.stderr)
			}
		})
	}
	if got, err := os.ReadFile(text); err != nil || string(got) != "something dear\n" {
		t.Errorf("a file that is no log was written to: %q, %v", got, err)
	}
}

// TestRunLogFailsFirst: the program does not start where the log cannot be opened.
func TestRunLogFailsFirst(t *testing.T) {
	dir := t.TempDir()
	vmblame(t, dir, "run", "-o", "/no/such/log", "touch", "started").wants(t, 125)
	if _, err := os.Stat(filepath.Join(dir, "started")); err == nil {
		t.Error("the program was started")
	}
}

// TestRunFlagsOfProgram: what stands behind PROGRAM is PROGRAM's, with and without "--".
func TestRunFlagsOfProgram(t *testing.T) {
	for _, args := range [][]string{
		{"run", "-q", "echo", "-o", "x", "--live", "--", "-q"},
		{"run", "-q", "--", "echo", "-o", "x", "--live", "--", "-q"},
	} {
		r := vmblame(t, "", args...)
		r.wants(t, 0)
		if r.stdout != "-o x --live -- -q\n" || r.stderr != "" {
			t.Errorf("%v: %q, %q", args, r.stdout, r.stderr)
		}
	}
}

// TestRunDefaultLog: vmblame.PID.jsonl, of the program's pid, in the working folder.
func TestRunDefaultLog(t *testing.T) {
	dir := t.TempDir()
	r := vmblame(t, dir, "run", "sh", "-c", "echo $$")
	r.wants(t, 0)
	name := "vmblame." + strings.TrimSpace(r.stdout) + ".jsonl"
	if !strings.Contains(r.stderr, name) {
		t.Errorf("the summary does not name %s:\n%s", name, r.stderr)
	}
	all := records(t, filepath.Join(dir, name))
	spaces := pick[*eventlog.Space](all)
	if len(spaces) == 0 || strconv.Itoa(spaces[0].PID) != strings.TrimSpace(r.stdout) || spaces[0].Cause != "launch" {
		t.Errorf("first space: %+v", spaces)
	}
	// The commands it names work.
	for line := range strings.Lines(r.stderr) {
		rest, ok := strings.CutPrefix(line, "next: ")
		if !ok {
			continue
		}
		for next := range strings.SplitSeq(strings.TrimSpace(rest), "    ") {
			args := strings.Fields(next)
			vmblame(t, dir, args[1:]...).wants(t, 0)
		}
	}
}

// TestRunLogKinds: what -o may be.
func TestRunLogKinds(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(path("empty"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	vmblame(t, dir, "run", "-o", "empty", "true").wants(t, 0)
	first := len(records(t, path("empty")))
	// A log is overwritten.
	vmblame(t, dir, "run", "-o", "empty", "--no-stacks", "true").wants(t, 0)
	if second := len(records(t, path("empty"))); second >= first {
		t.Errorf("%d records, %d before", second, first)
	}
	vmblame(t, dir, "run", "-o", "log.jsonl.zst", "true").wants(t, 0)
	packed, err := os.ReadFile(path("log.jsonl.zst"))
	if err != nil || !bytes.HasPrefix(packed, []byte("\x28\xb5\x2f\xfd")) {
		t.Errorf("not compressed: %v", err)
	}
	records(t, path("log.jsonl.zst"))
	exported(t, vmblame(t, dir, "export", "--format", "json", "log.jsonl.zst").stdout, false)
	r := vmblame(t, dir, "run", "-o", "/dev/null", "true")
	r.wants(t, 0, "mapped")
	if strings.Contains(r.stderr, "vmblame check") {
		t.Errorf("the summary wants /dev/null checked:\n%s", r.stderr)
	}
}

// TestRunLogPipe: a log written to a pipe is what its reader gets.
func TestRunLogPipe(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	got := make(chan []byte)
	go func() {
		text, _ := os.ReadFile(fifo)
		got <- text
	}()
	vmblame(t, dir, "run", "-o", fifo, "true").wants(t, 0)
	text := <-got
	if err := eventlog.Check(bytes.NewReader(text), func(p eventlog.Problem) { t.Error(p) }); err != nil {
		t.Error(err)
	}
}

// TestRunProgramsOwn: environment, folder, user, standard input.
func TestRunProgramsOwn(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile("/proc/self/personality")
	if err != nil {
		t.Fatal(err)
	}
	var personality int
	fmt.Sscanf(string(own), "%x", &personality)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--env", "VMBLAME_A=1", "--env", "VMBLAME_B=x=y", "sh", "-c", "echo $VMBLAME_A $VMBLAME_B $HOME"}, "1 x=y /home/test\n"},
		{[]string{"--chdir", filepath.Join(dir, "sub"), "sh", "-c", "basename $(pwd)"}, "sub\n"},
		{[]string{"--chdir", "sub", "sh", "-c", "basename $(pwd)"}, "sub\n"},
		{[]string{"--user", "nobody", "sh", "-c", "id -un; id -Gn"}, "nobody\nnogroup\n"},
		{[]string{"--no-aslr", "cat", "/proc/self/personality"}, fmt.Sprintf("%08x\n", personality|0x0040000)},
		{[]string{"cat", "/proc/self/personality"}, string(own)},
		{[]string{"--no-seccomp", "grep", "^Seccomp:", "/proc/self/status"}, "Seccomp:\t" + statusLine(os.Getpid(), "Seccomp") + "\n"},
		{[]string{"cat"}, "from standard input\n"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			if c.args[0] == "--user" {
				testenv.Need(t, "root")
			}
			cmd := command(t, dir, append([]string{"run", "-q", "-o", "log.jsonl"}, c.args...)...)
			cmd.Env = append(os.Environ(), "HOME=/home/test")
			cmd.Stdin = strings.NewReader("from standard input\n")
			r := finish(t, cmd)
			r.wants(t, 0)
			if r.stdout != c.want || r.stderr != "" {
				t.Errorf("got %q, %q; want %q", r.stdout, r.stderr, c.want)
			}
			records(t, filepath.Join(dir, "log.jsonl"))
		})
	}
}

// TestRunFlags: what the recording flags change in the log and on standard error.
func TestRunFlags(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "log.jsonl")
	run := func(args ...string) ([]eventlog.Record, result) {
		t.Helper()
		r := vmblame(t, dir, append([]string{"run", "-o", "log.jsonl"}, args...)...)
		r.wants(t, 0)
		return records(t, log), r
	}
	script := []string{"sh", "-c", "/bin/true; /bin/true; exit 0"}

	all, r := run(script...)
	if n := len(pick[*eventlog.Space](all)); n < 3 {
		t.Errorf("%d spaces, want those of the two children too", n)
	}
	deep := 0
	for _, s := range pick[*eventlog.Stack](all) {
		deep = max(deep, len(s.Frames))
	}
	if deep < 3 {
		t.Errorf("the deepest stack has %d frames", deep)
	}
	for _, word := range []string{"mapped", "explained", "RESERVED", "WHO", "processes", "next: vmblame report log.jsonl"} {
		if !strings.Contains(r.stderr, word) {
			t.Errorf("%q is missing in the summary:\n%s", word, r.stderr)
		}
	}

	all, _ = run(append([]string{"--no-follow"}, script...)...)
	for _, s := range pick[*eventlog.Space](all) {
		if s.Cause != "launch" {
			t.Errorf("--no-follow: a space by %s", s.Cause)
		}
	}
	alive := map[int]bool{}
	for _, th := range pick[*eventlog.Thread](all) {
		if alive[th.TID] = th.What != "exit"; !alive[th.TID] {
			delete(alive, th.TID)
		}
	}
	if len(alive) > 0 { // one made by vfork is followed until it executes its program
		t.Errorf("--no-follow: threads without an exit: %v", alive)
	}
	all, _ = run(append([]string{"--no-stacks"}, script...)...)
	if n := len(pick[*eventlog.Stack](all)); n != 0 {
		t.Errorf("--no-stacks: %d stacks", n)
	}
	all, _ = run(append([]string{"--max-frames=2"}, script...)...)
	for _, s := range pick[*eventlog.Stack](all) {
		if len(s.Frames) > 2 {
			t.Errorf("--max-frames=2: a stack of %d frames", len(s.Frames))
		}
	}
	all, _ = run(append([]string{"--verify=each"}, script...)...)
	end := pick[*eventlog.End](all)[0]
	if end.Checks < end.Events/2 {
		t.Errorf("--verify=each: %d checks for %d events", end.Checks, end.Events)
	}
	all, _ = run(append([]string{"--verify=off"}, script...)...)
	if end := pick[*eventlog.End](all)[0]; end.Checks != 0 {
		t.Errorf("--verify=off: %d checks", end.Checks)
	}
	_, r = run(append([]string{"-q"}, script...)...)
	if r.stderr != "" {
		t.Errorf("-q: %q", r.stderr)
	}
}

// TestRunColumns: what is no terminal gets lines of 120 columns, unless COLUMNS says how wide they may be.
func TestRunColumns(t *testing.T) {
	widest := func(columns string) int {
		cmd := command(t, "", "run", "sh", "-c", "sh -c :")
		cmd.Env = append(os.Environ(), "COLUMNS="+columns)
		r := finish(t, cmd)
		r.wants(t, 0)
		n := 0
		for line := range strings.Lines(r.stderr) {
			if strings.HasPrefix(line, " ") {
				n = max(n, len([]rune(line))-1)
			}
		}
		return n
	}
	if n := widest("80"); n > 80 {
		t.Errorf("COLUMNS=80: a line of %d columns", n)
	}
	if n := widest(""); n <= 100 || n > 120 {
		t.Errorf("the widest line has %d columns: the stacks of sh are longer, and a pipe has 120", n)
	}
}

// TestRunLive: every event of the log stands on standard error, in its order, with the names of its stack.
func TestRunLive(t *testing.T) {
	dir := t.TempDir()
	r := vmblame(t, dir, "run", "-q", "--live", "-o", "log.jsonl", "/bin/true")
	r.wants(t, 0, "PROT_READ", "MAP_PRIVATE|MAP_ANONYMOUS", "\n > /", "_dl_")
	var calls []string
	for line := range strings.Lines(r.stderr) {
		if rest, ok := strings.CutPrefix(line, "[pid "); ok {
			_, rest, _ = strings.Cut(rest, "] ")
			if call, _, ok := strings.Cut(rest, "("); ok && !strings.HasPrefix(rest, "+++") {
				calls = append(calls, call)
			}
		}
	}
	var want []string
	for _, e := range pick[*eventlog.Event](records(t, filepath.Join(dir, "log.jsonl"))) {
		want = append(want, e.Call)
	}
	if len(want) == 0 || strings.Join(calls, " ") != strings.Join(want, " ") {
		t.Errorf("printed %v\nlogged %v", calls, want)
	}
}

// TestRunSignals: INT and QUIT are left to the program, TERM and HUP are passed on to it.
func TestRunSignals(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		trap   string // of the program
		status int
		died   syscall.Signal
	}{
		{syscall.SIGTERM, "trap 'exit 9' TERM", 9, 0},
		{syscall.SIGHUP, "trap 'exit 8' HUP", 8, 0},
		{syscall.SIGTERM, "", -1, syscall.SIGTERM},
		{syscall.SIGHUP, "", -1, syscall.SIGHUP},
	} {
		t.Run(fmt.Sprint(c.signal, " ", c.trap), func(t *testing.T) {
			dir := t.TempDir()
			var errs bytes.Buffer
			cmd := command(t, dir, "run", "-o", "log.jsonl", "sh", "-c", c.trap+"\necho ready; while :; do read x; done")
			cmd.Stderr = &errs
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			first := firstOutput(t, cmd)
			if first != "ready\n" {
				t.Fatalf("the program said %q", first)
			}
			// These two must not end the recording.
			for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
			if err := cmd.Process.Signal(c.signal); err != nil {
				t.Fatal(err)
			}
			in.Close() // a shell handles its trap when its read has returned
			cmd.Wait()
			r := resultOf(t, cmd, "", errs.String())
			r.wants(t, c.status, "mapped")
			if r.signal != c.died {
				t.Errorf("ended by %v, want %v", r.signal, c.died)
			}
			records(t, filepath.Join(dir, "log.jsonl"))
		})
	}
}

// firstOutput starts cmd and returns the first line of its standard output.
func firstOutput(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	start(t, cmd)
	w.Close()
	t.Cleanup(func() { r.Close() })
	var line []byte
	for b := make([]byte, 1); len(line) == 0 || line[len(line)-1] != '\n'; {
		if n, err := r.Read(b); n == 0 || err != nil {
			break
		}
		line = append(line, b...)
	}
	return string(line)
}
