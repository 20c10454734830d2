package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/testenv"
)

// attach starts a recording of running processes into a log of its own.
func attach(t *testing.T, log string, args ...any) *child {
	t.Helper()
	argv := []string{built.vmblame, "attach", "-o", log}
	for _, a := range args {
		argv = append(argv, fmt.Sprint(a))
	}
	return begin(t, argv)
}

// attached is a recording under way: it has all threads of pid, and they have been let go on.
func attached(t *testing.T, log string, pid int, flags ...any) *child {
	t.Helper()
	_ = os.Remove(log)
	a := attach(t, log, append(flags, pid)...)
	eventually(t, "attached", func() bool {
		st, err := os.Stat(log)
		return a.over() || err == nil && st.Size() > 0 && tracedBy(pid, a.pid)
	})
	if a.over() {
		t.Fatalf("%s: %s", a.ended(), a.text("stderr"))
	}
	return a
}

// unseenCall is the drift of a call whose thread was killed in it, by the backend sigtrap: its exit stop may be skipped,
// and then nobody can tell what it was.
const unseenCall = "unseen call"

// visit attaches to a process for a while, again and again. Each log must be whole, its ledger equal the
// kernel's at the detach, and no thread left stopped or traced.
// Every third visit is by PTRACE_SYSCALL.
func visit(t *testing.T, times int, duration string, pid int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log.jsonl")
	ignored := ignoresTrap(pid) != 0 // a vmblame that was killed has left it so
	for i := range times {
		args := []any{"-q", "--duration", duration, pid}
		if backend == "" && i%3 == 2 { // else by the one that is chosen
			args = append(args, "--backend=syscall")
		}
		attach(t, log, args...).mustEnd("exit status 0")
		mustBeFree(t, pid)
		if p := ignoresTrap(pid); p != 0 && !ignored {
			t.Errorf("visit %d: process %d ignores SIGTRAP", i, p)
		}
		s := proven(t, log)
		if s.end.Cause != "duration" || s.end.Checks == 0 || s.end.Exit != nil {
			t.Errorf("visit %d: %+v", i, *s.end)
		}
		for _, n := range s.notes {
			t.Errorf("visit %d: note %s: %s", i, n.Code, n.Text)
		}
		if t.Failed() {
			return
		}
	}
}

func TestAttachToThreadsThatComeAndGo(t *testing.T) {
	c := begin(t, []string{prog(t, "churn"), "1000s"})
	eventually(t, "churn is ready", func() bool { return c.line("ready") != "" })
	visit(t, testenv.Often(10, 50), "30ms", c.pid)
}

// Another thread takes the leader's place by execve, at any moment of attach and detach.
func TestAttachToExec(t *testing.T) {
	c := begin(t, []string{prog(t, "exec_again")})
	eventually(t, "it has begun", func() bool { return c.line("account") != "" })
	log := filepath.Join(t.TempDir(), "log.jsonl")
	// As often as it takes to see some execs; how many are seen in a visit is the scheduler's affair.
	for visits, execs := 0, 0; visits < testenv.Often(15, 40) || execs < 10; visits++ {
		attach(t, log, "-q", "--duration", "20ms", c.pid).mustEnd("exit status 0")
		s := provenBut(t, log, unseenCall)
		mustBeFreeAfter(t, s, c.pid)
		execs += len(s.spaces) - 1
		if t.Failed() {
			return
		}
	}
}

// mustBeFreeAfter is mustBeFree; nor may SIGTRAP be ignored unless the log says so.
func mustBeFreeAfter(t *testing.T, s *story, pid int) {
	t.Helper()
	mustBeFree(t, pid)
	if p := ignoresTrap(pid); p != 0 && s.note("late-thread") == "" {
		t.Errorf("process %d ignores SIGTRAP", p)
	}
}

// The attaching ends at the stops of an exec and of a fork, too: a process that does little else.
func TestDetachAtExec(t *testing.T) {
	c := begin(t, []string{prog(t, "exec_ever")})
	eventually(t, "it has begun", func() bool { return c.line("account") != "" })
	log := filepath.Join(t.TempDir(), "log.jsonl")
	for range testenv.Often(10, 30) {
		attach(t, log, "-q", "--duration", "5ms", c.pid).mustEnd("exit status 0")
		mustBeFreeAfter(t, provenBut(t, log, unseenCall), c.pid)
		if t.Failed() {
			return
		}
	}
}

// A process that ends while vmblame attaches to it.
func TestAttachToDying(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.jsonl")
	random := rand.New(rand.NewPCG(5, 6))
	recorded := 0
	for i := range testenv.Often(12, 40) {
		c := begin(t, []string{prog(t, "storm"), "8", "0", "1"})
		eventually(t, "storm is ready", func() bool { return c.line("ready") != "" })
		_ = os.Remove(log)
		a := attach(t, log, "-q", c.pid)
		eventually(t, "vmblame is under way", func() bool { _, err := os.Stat(log); return err == nil || a.over() })
		// Not a wait for anything: any moment will do, from before the first thread is seized to after the last.
		time.Sleep(time.Duration(random.IntN(30_000)) * time.Microsecond)
		c.signal([]syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[i%2])
		if end := a.ended(); end == "exit status 0" {
			recorded++
			provenBut(t, log, unseenCall)
		} else if text := a.text("stderr"); end != "exit status 1" || !strings.Contains(text, "no such process") {
			t.Errorf("%s: %s", end, text)
		}
		if want := []string{"exit status 0", "signal: killed"}[i%2]; c.ended() != want {
			t.Errorf("the target: %s, want %s", c.ended(), want)
		}
	}
	t.Logf("%d recorded", recorded)
}

func TestAttachToStorm(t *testing.T) {
	c := begin(t, []string{prog(t, "storm"), "8", "0", "1"})
	eventually(t, "storm is ready", func() bool { return c.line("ready") != "" })
	visit(t, testenv.Often(10, 50), "20ms", c.pid)
	c.signal(syscall.SIGTERM)
	c.mustEnd("exit status 0")
}

// A real-time signal is queued, and comes once and in order.
func TestAttachLosesNoSignal(t *testing.T) {
	c := begin(t, []string{prog(t, "signals"), "until-term", "100"})
	eventually(t, "signals has begun", func() bool { return len(threadsOf(c.pid)) == 2 })
	visit(t, 20, "10ms", c.pid)
	c.signal(syscall.SIGTERM)
	c.mustEnd("exit status 0")
	var sent, got, wrong int
	if _, err := fmt.Sscanf(c.line("signals"), "signals sent=%d got=%d wrong=%d", &sent, &got, &wrong); err != nil || sent == 0 || got != sent || wrong != 0 {
		t.Errorf("%v: %s", err, c.line("signals"))
	}
}

// sleepers is a program with threads in 16 system calls that a tracer's interruption would end with EINTR,
// or restart.
func sleepers(t *testing.T) *child {
	t.Helper()
	c := begin(t, []string{prog(t, "eintr"), "100000"})
	eventually(t, "all sleep", func() bool { return c.line("ready") != "" })
	return c
}

// mustHaveSlept checks that no call has returned.
func mustHaveSlept(t *testing.T, c *child) {
	t.Helper()
	c.signal(syscall.SIGTERM)
	c.mustEnd("exit status 0")
	if got := c.line("eintr"); got != "eintr returned=0" {
		t.Errorf("%s\n%s", got, c.text("account"))
	}
}

func TestAttachEndsNoSleep(t *testing.T) {
	c := sleepers(t)
	visit(t, 20, "20ms", c.pid)
	mustHaveSlept(t, c)
}

// Nor do signals that nobody handles: the kernel tells a tracer of them, and wakes the thread for that.
func TestIgnoredSignalsWhileAttached(t *testing.T) {
	c := sleepers(t)
	a := attached(t, filepath.Join(t.TempDir(), "log.jsonl"), c.pid)
	for range 20 {
		for _, sig := range []syscall.Signal{syscall.SIGCONT, syscall.SIGURG, syscall.SIGWINCH, syscall.SIGCHLD} {
			for _, th := range threadsOf(c.pid) {
				_ = syscall.Tgkill(c.pid, th.tid, sig)
			}
		}
	}
	a.signal(syscall.SIGINT)
	a.mustEnd("exit status 0")
	mustHaveSlept(t, c)
}

// What ends an attached recording leaves the process as it was.
func TestDetach(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			c := begin(t, []string{prog(t, "churn"), "1000s"})
			eventually(t, "churn is ready", func() bool { return c.line("ready") != "" })
			log := filepath.Join(t.TempDir(), "log.jsonl")
			a := attached(t, log, c.pid)
			a.signal(sig)
			a.mustEnd("exit status 0")
			mustBeFree(t, c.pid)
			if s := proven(t, log); s.end.Cause != "detach" || s.end.Checks == 0 {
				t.Errorf("%+v", *s.end)
			}
		})
	}
}

func TestAttachUntilTheEnd(t *testing.T) {
	for _, how := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(how.String(), func(t *testing.T) {
			c := begin(t, []string{prog(t, "storm"), "4", "0", "1"})
			eventually(t, "storm is ready", func() bool { return c.line("ready") != "" })
			log := filepath.Join(t.TempDir(), "log.jsonl")
			a := attached(t, log, c.pid)
			// The first thread that is traced does not mean that all are: a kill before that is a process that ended.
			eventually(t, "all its threads are traced", func() bool {
				return !slices.ContainsFunc(threadsOf(c.pid), func(th thread) bool { return th.tracer != a.pid })
			})
			c.signal(how)
			c.ended()
			if how == syscall.SIGKILL && a.ended() == "exit status 1" && strings.Contains(a.text("stderr"), "it ended just now") {
				return
			}
			a.mustEnd("exit status 0")
			s := proven(t, log)
			if s.end.Cause != "exit" || s.end.Exit != nil {
				t.Errorf("%+v", *s.end)
			}
			if how == syscall.SIGTERM && s.end.Checks == 0 {
				t.Error("not compared with the kernel's view")
			}
		})
	}
}

func TestAttachToSeveral(t *testing.T) {
	var list []*child
	var args []any
	for range 3 {
		c := begin(t, []string{prog(t, "churn"), "1000s"})
		eventually(t, "churn is ready", func() bool { return c.line("ready") != "" })
		list, args = append(list, c), append(args, c.pid)
	}
	log := filepath.Join(t.TempDir(), "log.jsonl")
	a := attach(t, log, args...)
	for _, c := range list {
		eventually(t, "attached", func() bool { return tracedBy(c.pid, a.pid) })
	}
	// One of them ends; the others are recorded on.
	list[1].signal(syscall.SIGKILL)
	list[1].ended()
	a.signal(syscall.SIGTERM)
	a.mustEnd("exit status 0")
	mustBeFree(t, list[0].pid)
	mustBeFree(t, list[2].pid)
	s := proven(t, log)
	if len(s.spaces) != 3 || s.end.Checks < 2 {
		t.Errorf("%d spaces, %+v", len(s.spaces), *s.end)
	}
}

// A shell that forks all the time: its children are not recorded, and not disturbed.
func TestAttachWithoutChildren(t *testing.T) {
	c := begin(t, []string{"bash", "-c", "while :; do /bin/true || exit 9; (exit 3); [ $? = 3 ] || exit 8; done"})
	eventually(t, "bash forks", func() bool { return len(childrenOf(c.pid)) > 0 })
	log := filepath.Join(t.TempDir(), "log.jsonl")
	for range 10 {
		attach(t, log, "-q", "--no-follow", "--duration", "40ms", c.pid).mustEnd("exit status 0")
		mustBeFree(t, c.pid)
		if s := proven(t, log); len(s.spaces) != 1 || s.spaces[0].PID != c.pid {
			t.Errorf("%d spaces", len(s.spaces))
		}
	}
	// With them, all are let go.
	for spaces := 0; spaces < 2 && !t.Failed(); {
		attach(t, log, "-q", "--duration", "100ms", c.pid).mustEnd("exit status 0")
		spaces = len(proven(t, log).spaces)
	}
	mustBeFree(t, c.pid)
	if c.over() {
		t.Error(c.ended())
	}
}

// The parent of a vfork child cannot be stopped before the child runs a program or ends.
func TestAttachToVforkParent(t *testing.T) {
	c := begin(t, []string{testenv.Python(t), "-c", `
import ctypes, os
libc = ctypes.CDLL(None)
r, w = os.pipe()
os.set_inheritable(r, True)
# posix_spawn's file actions run in the vfork child: opening a FIFO keeps it there.
os.mkfifo("fifo")
print("ready", flush=True)
os.posix_spawn("/bin/true", ["true"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 9, "fifo", os.O_RDONLY, 0)])
print("spawned", flush=True)
os.wait()
`})
	eventually(t, "the parent sleeps in vfork", func() bool { return len(childrenOf(c.pid)) == 1 && allIn(c.pid, "D") })
	log := filepath.Join(t.TempDir(), "log.jsonl")
	attach(t, log, "-q", "--duration", "50ms", c.pid).mustEnd("exit status 0")
	if s := proven(t, log); s.note("late-thread") == "" {
		t.Errorf("no note about the thread that did not stop: %+v", s.notes)
	}
	eventually(t, "let go", func() bool { return tracedBy(c.pid, 0) })
	// Nothing is written: the child may have ended before.
	if err := exec.Command("sh", "-c", ": >"+c.file("fifo")).Run(); err != nil {
		t.Fatal(err)
	}
	c.mustEnd("exit status 0")
	if got := c.text("stdout"); got != "ready\nspawned\n" {
		t.Errorf("%q", got)
	}
}

// A munmap that waits for the reader of a userfaultfd: attach and detach do not.
func TestAttachToStuckCall(t *testing.T) {
	c := begin(t, []string{prog(t, "uffd_stuck")})
	eventually(t, "the call is stuck", func() bool { return c.line("ready") != "" || c.line("lacks") != "" })
	if c.line("lacks") != "" {
		c.mustEnd("exit status 0")
		testenv.Lacks(t, "userfaultfd")
	}
	log := filepath.Join(t.TempDir(), "log.jsonl")
	attach(t, log, "-q", "--duration", "50ms", c.pid).mustEnd("exit status 0")
	eventually(t, "let go", func() bool { return tracedBy(c.pid, 0) })
	proven(t, log)
	c.signal(syscall.SIGTERM)
	c.mustEnd("exit status 0")
}
