package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/testenv"
)

// With the kernel's own order nothing is held, and the log is as exact.
func TestSigtrapStorm(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "sigtrap")
	for _, c := range []struct {
		threads, calls int
		verify         string
	}{
		{8, testenv.Often(2000, 20000), "end"},
		{32, testenv.Often(400, 3000), "end"},
		{64, testenv.Often(200, 1000), "each"},
	} {
		t.Run(fmt.Sprint(c.threads, " threads"), func(t *testing.T) {
			r := trace(t, []string{"--backend=sigtrap", "--verify=" + c.verify}, "storm", fmt.Sprint(c.threads), fmt.Sprint(c.calls), "1")
			if r.status != "exit status 0" || r.stdout != "" || r.stderr != "" {
				t.Errorf("storm ended with %v", r.outcome)
			}
			r.hold(t, allow{})
			if r.noted("incomplete") || r.log.end.Checks == 0 {
				t.Errorf("incomplete, or not compared: %+v", *r.log.end)
			}
			t.Logf("%d events, %d checks, %d drifts", r.log.end.Events, r.log.end.Checks, r.log.end.Drifts)
		})
	}
}

// Threads that fight for the same pages: what was mapped where nothing of it is left by the time it can be asked for
// is uncertain, and the ledger is set right.
func TestSigtrapRacy(t *testing.T) {
	testenv.Need(t, "sigtrap")
	dir := t.TempDir()
	log := filepath.Join(dir, "log.jsonl")
	o := start(t, dir, filepath.Join(dir, "account"), built.vmblame, "run", "-q", "-o", log, "--backend=sigtrap", "--", prog(t, "racy"), "8", "2000", "1")
	if o.status != "exit status 0" || o.stderr != "" {
		t.Errorf("%v", o)
	}
	l := readLog(t, log)
	uncertain := 0
	for i := range l.events {
		if l.events[i].uncertain {
			uncertain++
		}
	}
	if l.end.Checks == 0 || len(l.events) < 10_000 || 50*uncertain > len(l.events) || 100*l.end.Drifts > uint64(len(l.events)) {
		t.Errorf("%d events, %d uncertain, %+v", len(l.events), uncertain, *l.end)
	}
	t.Logf("%d events, %d uncertain, %d checks, %d drifts", len(l.events), uncertain, l.end.Checks, l.end.Drifts)
}

// A vmblame that is killed does not take along what it is attached to, at whatever stop that stands.
func TestSigtrapKilled(t *testing.T) {
	testenv.Need(t, "sigtrap")
	random := rand.New(rand.NewPCG(7, 8))
	for _, argv := range [][]string{{"storm", "8", "0", "1"}, {"churn", "1000s"}} {
		for range testenv.Often(4, 10) {
			c := begin(t, append([]string{prog(t, argv[0])}, argv[1:]...))
			eventually(t, "it is ready", func() bool { return c.line("ready") != "" })
			a := attached(t, filepath.Join(t.TempDir(), "log.jsonl"), c.pid, "-q", "--backend=sigtrap")
			// Not a wait for anything: any moment will do.
			time.Sleep(time.Duration(random.IntN(50_000)) * time.Microsecond)
			a.signal(syscall.SIGKILL)
			a.mustEnd("signal: killed")
			eventually(t, "it runs on", func() bool { return c.over() || allIn(c.pid, "RSD") })
			if c.over() {
				t.Fatalf("%s: %s", argv[0], c.ended())
			}
			c.signal(syscall.SIGKILL)
			c.ended()
		}
	}
}

// A process has the signals afterwards that it had before.
func TestSigtrapLeavesSignals(t *testing.T) {
	testenv.Need(t, "sigtrap")
	c := begin(t, []string{prog(t, "storm"), "8", "0", "1"})
	eventually(t, "storm is ready", func() bool { return c.line("ready") != "" })
	signals := func() (s string) {
		for _, th := range threadsOf(c.pid) {
			dir := fmt.Sprintf("/proc/%d/task/%d", c.pid, th.tid)
			s += fmt.Sprintln(th.tid, field(dir, "SigBlk"), field(dir, "SigIgn"), field(dir, "SigCgt"), field(dir, "SigPnd"))
		}
		return s
	}
	before := signals()
	for range testenv.Often(4, 10) {
		visit(t, 1, "50ms", c.pid)
		if after := signals(); after != before {
			t.Fatalf("before:\n%safter:\n%s", before, after)
		}
	}
}

// A handler for SIGTRAP that a followed program sets is its own, and gets the signals that are not ours.
func TestSigtrapOwnHandler(t *testing.T) {
	testenv.Need(t, "sigtrap")
	log := filepath.Join(t.TempDir(), "log.jsonl")
	c := begin(t, []string{built.vmblame, "run", "-q", "--backend", "sigtrap", "-o", log, prog(t, "group_signal"), "5"},
		func(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} })
	c.mustEnd("exit status 0")
	if got, want := c.text("stdout"), "handled 5\ndone\n"; got != want {
		t.Errorf("it said %q, want %q", got, want)
	}
	proven(t, log)
}

// Who may not have perf events is told so, and what it costs, and attaches all the same.
func TestSigtrapFallsBack(t *testing.T) {
	testenv.Need(t, "root", "sigtrap")
	nobody := func(cmd *exec.Cmd) {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	dir := publicDir(t)
	vmblame := filepath.Join(dir, "vmblame")
	if out, err := exec.Command("cp", built.vmblame, vmblame).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	log := filepath.Join(t.TempDir(), "log.jsonl")
	c := begin(t, []string{prog(t, "churn"), "1000s"})
	eventually(t, "churn is ready", func() bool { return c.line("ready") != "" })
	for flag, want := range map[string]string{"--backend=auto": "sigtrap", "--backend=sigtrap": "sigtrap", "--backend=syscall": "syscall"} {
		attach(t, log, "-q", "--duration", "50ms", flag, c.pid).mustEnd("exit status 0")
		if s := proven(t, log); s.header.Backend == nil || s.header.Backend.Name != want || s.header.Backend.Why != "" {
			t.Errorf("%s: %+v", flag, s.header.Backend)
		}
	}
	own := begin(t, []string{"/usr/bin/python3", "-c", `
import ctypes, time
ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)
print("ready", flush=True)
time.sleep(1000)
`}, nobody)
	eventually(t, "it lets itself be traced", func() bool { return own.text("stdout") == "ready\n" })
	a := begin(t, []string{vmblame, "attach", "--duration", "50ms", "-o", "/dev/null", fmt.Sprint(own.pid)}, nobody)
	a.mustEnd("exit status 0")
	first, _, _ := strings.Cut(a.text("stderr"), "\n") // "attached to python3 …"
	if !strings.Contains(first, "for EVERY system call") || !strings.Contains(first, "tracing") {
		t.Errorf("%q", first)
	}
	a = begin(t, []string{vmblame, "attach", "--backend=sigtrap", "-o", "/dev/null", fmt.Sprint(own.pid)}, nobody)
	a.mustEnd("exit status 1")
	if text := a.text("stderr"); !strings.Contains(text, "--backend sigtrap: ") || !strings.Contains(text, "tracing") {
		t.Errorf("%q", text)
	}
	mustBeFree(t, own.pid)
}

// Each precondition taken away: version and the log's header say which is missing, and attach works all the same.
func TestSigtrapPreconditions(t *testing.T) {
	testenv.Need(t, "root", "sigtrap")
	log := filepath.Join(t.TempDir(), "log.jsonl")
	target := begin(t, []string{"sleep", "1000"})
	mounted := func(script string) []string {
		return []string{"unshare", "--mount", "sh", "-ec", script + `; exec "$0" "$@"`}
	}
	for _, c := range []struct {
		name, reason string
		in           []string
	}{
		{"no tracefs", "tracefs is not mounted", mounted("mount -t tmpfs none /sys/kernel/tracing; mount -t tmpfs none /sys/kernel/debug")},
		{"no capability", "perf_event_open: permission denied", sandboxed(t, "caps=80000")}, // CAP_SYS_PTRACE alone
		{"another clocksource", `the clocksource is "hpet"`, mounted(`echo hpet >"$PWD/clocksource"; mount --bind "$PWD/clocksource" /sys/devices/system/clocksource/clocksource0/current_clocksource`)},
		{"a seccomp profile", "perf_event_open: operation not permitted", sandboxed(t, "perf_event_open=1")},
		{"a gVisor", "perf_event_open: function not implemented", sandboxed(t, "perf_event_open=38")},
		{"a kernel without sigtrap", "the kernel is older than 5.13", sandboxed(t, "perf_event_open=22")},
	} {
		v := begin(t, append(c.in, built.vmblame, "version", "--json"))
		v.mustEnd("exit status 0")
		var version struct {
			Backends map[string]struct{ Name, Why string }
		}
		if err := json.Unmarshal([]byte(v.text("stdout")), &version); err != nil {
			t.Fatal(err)
		}
		if got := version.Backends["attach"]; got.Name != "syscall" || !strings.Contains(got.Why, c.reason) {
			t.Errorf("%s: version: %+v", c.name, got)
		}
		a := begin(t, append(c.in, built.vmblame, "attach", "--duration", "50ms", "-o", log, fmt.Sprint(target.pid)))
		a.mustEnd("exit status 0")
		if b := proven(t, log).header.Backend; b.Name != "syscall" || !strings.Contains(b.Why, c.reason) {
			t.Errorf("%s: the header: %+v", c.name, b)
		}
		if first, _, _ := strings.Cut(a.text("stderr"), "\n"); !strings.Contains(first, "for EVERY system call") || !strings.Contains(first, c.reason) {
			t.Errorf("%s: attach said %q", c.name, first)
		}
	}
}
