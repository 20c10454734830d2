package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

// TestTrapFilter: a call that the program's own filter answers with TRAP or KILL did not happen, and is no event.
func TestTrapFilter(t *testing.T) {
	for _, call := range []string{"mmap", "munmap", "mprotect", "mremap", "brk"} {
		for _, how := range []string{"trap", "kill"} {
			for _, flag := range []string{"-q", "--no-seccomp"} {
				t.Run(call+" "+how+" "+flag, func(t *testing.T) {
					log := filepath.Join(t.TempDir(), "log.jsonl")
					argv := []string{built.vmblame, "run", "-q", flag, "-o", log, prog(t, "trap_filter"), call}
					want, end := fmt.Sprintf("start\n%s: -1, traps 1\n", call), "exit status 0"
					if how == "kill" {
						argv = append(argv, how)
						want, end = "start\n", "signal: bad system call"
					}
					c := begin(t, argv)
					c.mustEnd(end)
					if got := c.text("stdout"); got != want {
						t.Errorf("it said %q, want %q", got, want)
					}
					proven(t, log)
				})
			}
		}
	}
}

// TestIgnoredTimeout: timeouts end in time while ignored signals keep coming, under each way to make calls stop.
func TestIgnoredTimeout(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"-q", "--no-seccomp"} {
		log := filepath.Join(t.TempDir(), "log.jsonl")
		c := begin(t, []string{built.vmblame, "run", "-q", flag, "-o", log, prog(t, "ignored_timeout")})
		c.mustEnd("exit status 0")
		if got := c.text("stdout"); got != "bad 0\n" {
			t.Error(got)
		}
		proven(t, log)
	}
	for _, backend := range []string{"syscall", "auto"} {
		log := filepath.Join(t.TempDir(), "log.jsonl")
		c := begin(t, []string{prog(t, "ignored_timeout"), "x"})
		eventually(t, "it is ready", func() bool { return strings.Contains(c.text("stdout"), "ready") })
		a := attached(t, log, c.pid, "-q", "--backend="+backend)
		c.signal(syscall.SIGTERM)
		c.mustEnd("exit status 0")
		if got := c.text("stdout"); !strings.HasSuffix(got, "\nbad 0\n") {
			t.Errorf("%s: %s", backend, got)
		}
		a.mustEnd("exit status 0")
		proven(t, log)
	}
}

// TestLeakCheck: of a program with LeakSanitizer vmblame says before it starts that it will end otherwise, and with
// --lsan=off it does not.
func TestLeakCheck(t *testing.T) {
	const said = " has LeakSanitizer, whose leak check"
	log := filepath.Join(t.TempDir(), "log.jsonl")
	run := func(flags []string, env string, argv ...string) *child {
		return begin(t, append(append([]string{built.vmblame, "run", "-o", log}, flags...), argv...),
			func(cmd *exec.Cmd) { cmd.Env = append(cmd.Environ(), env) })
	}
	for program, status := range map[string]string{"leaks_asan": "exit status 1", "leaks_lsan": "exit status 23", "leaks_linked": "exit status 1"} {
		path := prog(t, program)
		c := run(nil, "A=", path)
		c.mustEnd(status)
		text := c.text("stderr")
		if note, failure := strings.Index(text, program+said), strings.Index(text, "does not work under ptrace"); note < 0 || failure < note {
			t.Errorf("%s: said:\n%s", program, text)
		}
		if proven(t, log).note("leak-check") == "" {
			t.Errorf("%s: no note in the log", program)
		}
		c = run([]string{"--lsan=off"}, "ASAN_OPTIONS=exitcode=9", path)
		c.mustEnd("exit status 0")
		if s := proven(t, log); strings.Contains(c.text("stderr"), said) || s.header.Environment["ASAN_OPTIONS"] == nil ||
			*s.header.Environment["ASAN_OPTIONS"] != "exitcode=9:detect_leaks=0" {
			t.Errorf("%s: off: said:\n%s\nenvironment: %v", program, c.text("stderr"), s.header.Environment)
		}
		c = run([]string{"--lsan=keep"}, "A=", path)
		c.mustEnd(status)
		if strings.Contains(c.text("stderr"), said) {
			t.Errorf("%s: keep: said:\n%s", program, c.text("stderr"))
		}
	}
	path := prog(t, "leaks_asan")
	c := run(nil, "A=", "sh", "-c", path+"; exit 5") // a child
	c.mustEnd("exit status 5")
	if !strings.Contains(c.text("stderr"), "leaks_asan"+said) {
		t.Errorf("of a child: said:\n%s", c.text("stderr"))
	}
	target := begin(t, []string{path, "x"})
	eventually(t, "it is ready", func() bool { return strings.Contains(target.text("stdout"), "ready") })
	a := attached(t, log, target.pid)
	a.signal(syscall.SIGINT)
	a.mustEnd("exit status 0")
	target.signal(syscall.SIGTERM)
	target.mustEnd("exit status 1") // it has found the leak
	if text := a.text("stderr"); !strings.Contains(text, "leaks_asan"+said) || !strings.Contains(text, "detach before that") {
		t.Errorf("attach said:\n%s", text)
	}
}

// TestSeccompMode: a program does not see our filter where it asks for its seccomp mode, and sees its own.
func TestSeccompMode(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.jsonl")
	alone := begin(t, []string{prog(t, "seccomp_mode")})
	alone.mustEnd("exit status 0")
	for _, flag := range []string{"-q", "--no-seccomp"} {
		c := begin(t, []string{built.vmblame, "run", "-q", flag, "-o", log, prog(t, "seccomp_mode")})
		c.mustEnd("exit status 0")
		if got, want := c.text("stdout"), alone.text("stdout"); got != want {
			t.Errorf("%s: it said %q, alone %q", flag, got, want)
		}
		proven(t, log)
	}
}

// TestNotices: what a program does that goes otherwise under vmblame is said when it does it.
func TestNotices(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.jsonl")
	for _, tt := range []struct {
		argv     []string
		noFilter string // what it says with --no-seccomp
		with     string // what it says without
		code     string
		words    string
	}{
		{[]string{"seccomp_mode", "strict"}, "strict ok\n", "strict no\n", "strict-seccomp", "strict mode"},
		{[]string{"seccomp_mode", "trace"}, "ENOSYS\n", "passed\n", "trace-filter", "SECCOMP_RET_TRACE"},
		{[]string{"child_tracer", "seize"}, "", "", "nested-tracer", "--no-follow"},
	} {
		argv := append([]string{prog(t, tt.argv[0])}, tt.argv[1:]...)
		c := begin(t, append([]string{built.vmblame, "run", "-o", log}, argv...))
		c.mustEnd("exit status 0")
		text := c.text("stderr")
		if s := proven(t, log); s.note(tt.code) == "" || strings.Count(text, tt.words) != 1 || tt.with != "" && c.text("stdout") != tt.with {
			t.Errorf("%v: said %q, and itself %q; notes %+v", tt.argv, text, c.text("stdout"), s.notes)
		}
		if tt.noFilter == "" {
			continue
		}
		c = begin(t, append([]string{built.vmblame, "run", "--no-seccomp", "-o", log}, argv...))
		c.mustEnd("exit status 0")
		if s := proven(t, log); s.note(tt.code) != "" || c.text("stdout") != tt.noFilter {
			t.Errorf("%v without filter: it said %q; notes %+v", tt.argv, c.text("stdout"), s.notes)
		}
	}
	c := begin(t, []string{built.vmblame, "run", "-q", "--no-seccomp", "--no-follow", "-o", log, prog(t, "child_tracer"), "seize"})
	c.mustEnd("exit status 0")
	if s := proven(t, log); s.note("nested-tracer") != "" {
		t.Errorf("left alone: %+v", s.notes)
	}
}

// peak returns the most memory that the process has had resident in KiB, as /proc/PID/status says until it ends. The figure
// of wait4(2) has that of the process that started it, too.
func (c *child) peak() (most int) {
	for {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.pid))
		if err != nil {
			return most // reaped
		}
		if _, after, ok := strings.Cut(string(text), "VmHWM:"); ok {
			var kib int
			if _, err := fmt.Sscan(after, &kib); err == nil {
				most = max(most, kib)
			}
		}
		select {
		case <-c.reaped:
			return most
		case <-time.After(time.Millisecond):
		}
	}
}

// mostMemory is what vmblame may have resident while it records scale's 16,384 stacks, however many events there are.
const mostMemory = 64 << 10 // KiB

// TestScale: programs that are large in one way, in small; docs/reliability.md has the figures of large ones.
func TestScale(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log.jsonl")
	events := testenv.Often(10000, 100000)
	for what, n := range map[string]int{"events": events, "threads": 300, "mappings": 5000, "execs": 100, "processes": 200} {
		c := begin(t, []string{built.vmblame, "run", "-q", "-o", log, prog(t, "scale"), what, fmt.Sprint(n)})
		peak := c.peak()
		c.mustEnd("exit status 0")
		if got := c.text("stdout"); got != "done\n" {
			t.Errorf("%s: %s", what, got)
		}
		s := proven(t, log)
		if s.end.Drifts != 0 || s.end.Lost != 0 || s.note("unverified") != "" {
			t.Errorf("%s: %+v, %+v", what, s.end, s.notes)
		}
		if want := map[string]uint64{"events": uint64(events), "mappings": 5000}[what]; s.end.Events < want || what == "events" && s.stacks < events/10 {
			t.Errorf("%s: %d events, %d stacks", what, s.end.Events, s.stacks)
		}
		if what == "events" && (peak == 0 || peak > mostMemory) {
			t.Errorf("%s: vmblame had up to %d KiB resident", what, peak)
		}
	}
}

// TestUntilExit: of processes that outlive the program it is said that they are waited for, and with --until-exit they are
// let go.
func TestUntilExit(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.jsonl")
	const daemon = `sleep 1000 >/dev/null 2>&1 & echo $!; exit 6`
	c := begin(t, []string{built.vmblame, "run", "-o", log, "sh", "-c", daemon})
	eventually(t, "it is said", func() bool { return strings.Contains(c.text("stderr"), "the program has ended; the recording goes on") })
	if text := c.text("stderr"); !strings.Contains(text, strings.TrimSpace(c.text("stdout"))+" sleep") {
		t.Errorf("said: %s", text)
	}
	c.signal(syscall.SIGTERM) // is passed to it
	c.mustEnd("exit status 6")
	if s := proven(t, log); s.end.Cause != "exit" || s.note("outlived") == "" {
		t.Errorf("%+v, %+v", s.end, s.notes)
	}
	for _, flag := range []string{"-q", "--no-seccomp", "--backend=syscall"} {
		c := begin(t, []string{built.vmblame, "run", "-q", flag, "--until-exit", "-o", log, "sh", "-c", daemon})
		c.mustEnd("exit status 6")
		pid, err := strconv.Atoi(strings.TrimSpace(c.text("stdout")))
		if err != nil {
			t.Fatal(err)
		}
		mustBeFree(t, pid)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Errorf("%s: the daemon is gone: %v", flag, err)
		}
		if s := proven(t, log); s.end.Cause != "detach" || s.end.Exit == nil || *s.end.Exit.Code != 6 || s.header.Backend.Name == "seccomp" {
			t.Errorf("%s: %+v, %+v", flag, s.end, s.header.Backend)
		}
	}
	refused(t, begin(t, []string{built.vmblame, "run", "--until-exit", "--backend=seccomp", "true"}), "exit status 2", "--until-exit")
}

// TestGroupSignals: a signal that the program sends to its process group, which is vmblame's too, ends nobody who
// handles it.
func TestGroupSignals(t *testing.T) {
	for _, sig := range []int{1, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 29, 30, 31, 34, 35, 64} {
		t.Run(fmt.Sprint(sig), func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "log.jsonl")
			c := begin(t, []string{built.vmblame, "run", "-q", "-o", log, prog(t, "group_signal"), fmt.Sprint(sig)},
				func(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} })
			c.mustEnd("exit status 0")
			if got, want := c.text("stdout"), fmt.Sprintf("handled %d\ndone\n", sig); got != want {
				t.Errorf("it said %q, want %q", got, want)
			}
			proven(t, log)
		})
	}
}

// TestInitFaults: the crash of a pid namespace's first process ends it, as it does without vmblame.
func TestInitFaults(t *testing.T) {
	testenv.Need(t, "root")
	for _, flag := range []string{"-q", "--no-seccomp"} {
		log := filepath.Join(t.TempDir(), "log.jsonl")
		c := begin(t, []string{built.vmblame, "run", "-q", flag, "-o", log, prog(t, "ns_init_segv")})
		c.mustEnd("exit status 0")
		if got, want := c.text("stdout"), "init of the namespace: signal 11, exit -1\n"; got != want {
			t.Errorf("it said %q, want %q", got, want)
		}
		if s := proven(t, log); s.note("init-fault") == "" {
			t.Errorf("notes: %+v", s.notes)
		}
	}
}

// TestChildTracer: with --no-seccomp --no-follow a program traces its own children as it does alone.
func TestChildTracer(t *testing.T) {
	for _, how := range []string{"attach", "seize"} {
		log := filepath.Join(t.TempDir(), "log.jsonl")
		c := begin(t, []string{built.vmblame, "run", "-q", "--no-seccomp", "--no-follow", "-o", log, prog(t, "child_tracer"), how})
		c.mustEnd("exit status 0")
		if got, want := c.text("stdout"), "EPERM 0, other errno 0, wrong status 0 (0)\n"; got != want {
			t.Errorf("it said %q, want %q", got, want)
		}
		proven(t, log)
	}
}

// TestBigArgv: the log tells the first arguments of a program, and how many there are.
func TestBigArgv(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.jsonl")
	c := begin(t, []string{built.vmblame, "run", "-q", "-o", log, prog(t, "big_argv"), "5"})
	c.mustEnd("exit status 0")
	s := proven(t, log)
	cut := 0
	for _, sp := range s.spaces {
		n := len(strings.Join(sp.Argv, " "))
		if n > 4096 {
			t.Errorf("space %d has %d bytes of arguments", sp.Space, n)
		}
		if sp.Argc == 1026 && len(sp.Argv) < 6 {
			cut++
		}
	}
	if cut != 5 {
		t.Errorf("%d spaces of %d have the first of 1026 arguments", cut, len(s.spaces))
	}
}

// TestFewDescriptors: more live processes than there are descriptors, and each is held against the kernel's view.
func TestFewDescriptors(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.jsonl")
	script := `ulimit -n 40; exec "$0" run -q -o "$1" sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48; do { read x; } <"$0" & done; echo all >"$1"; wait; exit 4' `
	dir := t.TempDir()
	gate, said := filepath.Join(dir, "gate"), filepath.Join(dir, "said")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	c := begin(t, []string{"sh", "-c", script + `"$2" "$3"`, built.vmblame, log, gate, said})
	eventually(t, "all children wait", func() bool { _, err := os.Stat(said); return err == nil })
	w, err := os.OpenFile(gate, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	// A line lets one of them go, also one that comes to the gate only now.
	defer w.Close()
	if _, err := w.WriteString(strings.Repeat("\n", 100)); err != nil {
		t.Fatal(err)
	}
	c.mustEnd("exit status 4")
	s := proven(t, log)
	if s.note("unreadable-maps") != "" || s.note("unverified") != "" || s.end.Checks < uint64(len(s.spaces)) {
		t.Errorf("%d spaces, %d checks, notes %+v", len(s.spaces), s.end.Checks, s.notes)
	}
}

// TestUnreadableSpace: a program whose mappings may not be looked at is recorded as far as that goes, and the log
// says that its ledger is not proven.
func TestUnreadableSpace(t *testing.T) {
	testenv.Need(t, "root")
	dir, err := os.MkdirTemp("", "vmblame-secret-") // others may not enter t.TempDir
	if err == nil {
		err = os.Chmod(dir, 0o777)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	secret := filepath.Join(dir, "secret") // may be executed and not read
	text, err := os.ReadFile("/bin/true")
	if err == nil {
		err = os.WriteFile(secret, text, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log.jsonl")
	c := begin(t, []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", built.vmblame, "run", "-q", "-o", log, secret})
	c.mustEnd("exit status 0")
	var notes []string
	if err := eventlog.CheckFile(log, func(p eventlog.Problem) { t.Error(p) }); err != nil {
		t.Fatal(err)
	}
	for _, n := range proven(t, log).notes {
		notes = append(notes, n.Code)
	}
	if !strings.Contains(strings.Join(notes, " "), "unverified") {
		t.Errorf("notes: %v", notes)
	}
}

// TestForeignProc: where /proc shows the processes of another pid namespace, or nothing, that is what is said.
func TestForeignProc(t *testing.T) {
	testenv.Need(t, "root")
	log := filepath.Join(t.TempDir(), "log.jsonl")
	refused(t, begin(t, []string{"unshare", "--pid", "--fork", built.vmblame, "run", "-o", log, "true"}), "exit status 125", "/proc is that of another pid namespace", "mount")
	refused(t, begin(t, []string{"unshare", "--mount", "sh", "-c", `mount -t tmpfs none /proc && exec "$0" run -o "$1" true`, built.vmblame, log}), "exit status 125", "/proc is not mounted")
	refused(t, begin(t, []string{"unshare", "--pid", "--fork", built.vmblame, "attach", "-o", log, "1"}), "exit status 1", "/proc is that of another pid namespace")
	if _, err := os.Stat(log); err == nil {
		t.Error("there is a log")
	}
}

// TestClosedDescriptors: a program finds the descriptors closed that were closed when vmblame was started, and no other.
func TestClosedDescriptors(t *testing.T) {
	for mask := range 8 {
		how, want := "exec 3>said", "closed:"
		next := 4
		for fd := 2; fd >= 0; fd-- {
			if mask>>fd&1 != 0 {
				next = fd
			}
		}
		for fd := range 3 {
			if mask>>fd&1 != 0 {
				how += fmt.Sprintf(" %d>&-", fd)
				want += fmt.Sprintf(" %d", fd)
			}
		}
		c := begin(t, []string{"sh", "-c", how + ` && exec "$@"`, "sh", built.vmblame, "run", "-q", "-o", "log.jsonl", prog(t, "closed_descriptors")})
		c.mustEnd("exit status 0")
		if got, want := c.text("said"), fmt.Sprintf("%s; the next is %d\n", want, next); got != want {
			t.Errorf("%s: it said %q, want %q", how, got, want)
		}
		proven(t, c.file("log.jsonl"))
	}
}

// TestTooFewAddresses: where Go's runtime could not begin, one line says so.
func TestTooFewAddresses(t *testing.T) {
	for _, limit := range []string{"80000", "700000", "1200000"} {
		c := begin(t, []string{"sh", "-c", `ulimit -v "$1" && exec "$0" run -o log.jsonl sh -c 'echo ran'`, built.vmblame, limit})
		c.mustEnd("exit status 125")
		if text := c.text("stderr"); strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "vmblame: the address space limit (ulimit -v)") || c.text("stdout") != "" {
			t.Errorf("%s: said:\n%s%s", limit, text, c.text("stdout"))
		}
	}
	c := begin(t, []string{"sh", "-c", `ulimit -v 1600000 && exec "$0" run -q -o log.jsonl sh -c 'ulimit -v'`, built.vmblame})
	c.mustEnd("exit status 0")
	if got := c.text("stdout"); got != "1600000\n" {
		t.Errorf("the program's limit: %s%s", got, c.text("stderr"))
	}
	proven(t, c.file("log.jsonl"))
}
