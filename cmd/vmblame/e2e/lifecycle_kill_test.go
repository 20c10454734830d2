package e2e

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/testenv"
)

// traceeOf waits until vmblame's program has begun, and returns its pid.
func traceeOf(c *child, word string) (pid int) {
	c.t.Helper()
	eventually(c.t, "the program is ready", func() bool { return c.line(word) != "" || c.over() })
	if _, err := fmt.Sscanf(c.line(word), word+" pid=%d", &pid); err != nil {
		c.t.Fatalf("%q: %v: %s", c.line(word), err, c.text("stderr"))
	}
	return pid
}

// A program killed at any moment, 8 threads in the middle of their calls, leaves a whole log.
func TestKilledWhileMapping(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.jsonl")
	random := rand.New(rand.NewPCG(3, 4))
	for i := range testenv.Often(15, 30) {
		var flags []string
		if i%5 == 4 {
			flags = []string{"--no-seccomp"}
		}
		c := launch(t, log, append(flags, prog(t, "storm"), "8", "0", fmt.Sprint(i))...)
		pid := traceeOf(c, "ready")
		// Not a wait for anything: any moment will do.
		time.Sleep(time.Duration(random.IntN(50_000)) * time.Microsecond)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		c.mustEnd("signal: killed")
		s := proven(t, log)
		if s.end.Cause != "exit" || s.end.Exit == nil || s.end.Exit.Signal == nil || *s.end.Exit.Signal != 9 {
			t.Errorf("%+v", *s.end)
		}
		if s.end.Checks == 0 && s.note("unverified") == "" {
			t.Error("neither compared with the kernel's view nor a note that says so")
		}
		if t.Failed() {
			return
		}
	}
}

// The same at the hands of the program: a signal that kills all its threads.
func TestDiesWhileMapping(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.jsonl")
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGSEGV} {
		launch(t, log, prog(t, "dies"), fmt.Sprint(int(sig)), "8").mustEnd("signal: " + sig.String())
		proven(t, log)
	}
}

// An attached process goes on when vmblame is killed.
func TestVmblameKilledWhileAttached(t *testing.T) {
	c := begin(t, []string{prog(t, "churn"), "1000s"})
	eventually(t, "churn is ready", func() bool { return c.line("ready") != "" })
	log := filepath.Join(t.TempDir(), "log.jsonl")
	for range 10 {
		a := attached(t, log, c.pid)
		a.signal(syscall.SIGKILL)
		a.mustEnd("signal: killed")
		mustBeFree(t, c.pid)
	}
	visit(t, 1, "20ms", c.pid)
}

// A launched program has a filter that fails its calls without a tracer: it ends with vmblame. Without the
// filter it goes on.
func TestVmblameKilled(t *testing.T) {
	for _, filter := range []bool{true, false} {
		log := filepath.Join(t.TempDir(), "log.jsonl")
		var flags []string
		if !filter {
			flags = []string{"--no-seccomp"}
		}
		c := launch(t, log, append(flags, prog(t, "storm"), "4", "0", "1")...)
		pid := traceeOf(c, "ready")
		statFD, err := syscall.Open(fmt.Sprintf("/proc/%d/stat", pid), syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer syscall.Close(statFD)
		c.signal(syscall.SIGKILL)
		c.mustEnd("signal: killed")
		if filter {
			// Its descriptor tells of this process, also when the number is used again.
			eventually(t, "the program dies", func() bool {
				var b [512]byte
				n, err := syscall.Pread(statFD, b[:], 0)
				return err != nil || n == 0 || isZombie(string(b[:n]))
			})
			continue
		}
		eventually(t, "let go", func() bool { return tracedBy(pid, 0) })
		mustBeFree(t, pid)
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the program ends well", func() bool { return c.line("end") != "" })
	}
}
