package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// launch starts a recording of a program.
func launch(t *testing.T, log string, args ...string) *child {
	t.Helper()
	return begin(t, append([]string{built.vmblame, "run", "-q", "-o", log}, args...))
}

// A program that is stopped stands still, and its parent is told of each stop and continuation once.
func TestGroupStop(t *testing.T) {
	for _, flags := range [][]string{nil, {"--no-seccomp"}} {
		log := filepath.Join(t.TempDir(), "log.jsonl")
		c := launch(t, log, append(flags, prog(t, "stopcont"), "20")...)
		c.mustEnd("exit status 0")
		if got := c.line("stops"); got != "stops rounds=20 stopped=20 continued=20 ran_while_stopped=0" {
			t.Error(got)
		}
		proven(t, log)
	}
}

// The same, while vmblame comes and goes.
func TestGroupStopWhileAttached(t *testing.T) {
	c := begin(t, []string{prog(t, "stopcont"), "60"})
	eventually(t, "the child maps", func() bool { return len(childrenOf(c.pid)) == 1 })
	log := filepath.Join(t.TempDir(), "log.jsonl")
	target := childrenOf(c.pid)[0]
	for visits := 0; !c.over(); visits++ {
		a := attach(t, log, "-q", "--duration", "15ms", target)
		if end := a.ended(); end != "exit status 0" && !c.over() && len(childrenOf(c.pid)) > 0 {
			t.Fatalf("%s: %s", end, a.text("stderr"))
		}
	}
	c.mustEnd("exit status 0")
	if got := c.line("stops"); got != "stops rounds=60 stopped=60 continued=60 ran_while_stopped=0" {
		t.Error(got)
	}
}

// A stopped process stays stopped when vmblame comes and when it goes, and can be continued afterwards and
// meanwhile.
func TestAttachToStopped(t *testing.T) {
	c := begin(t, []string{prog(t, "storm"), "4", "0", "1"})
	eventually(t, "storm is ready", func() bool { return c.line("ready") != "" })
	log := filepath.Join(t.TempDir(), "log.jsonl")
	stop := func() {
		c.signal(syscall.SIGSTOP)
		eventually(t, "stopped", func() bool { return allIn(c.pid, "T") })
	}
	stop()
	for range 10 {
		attach(t, log, "-q", "--duration", "10ms", c.pid).mustEnd("exit status 0")
		// A thread that is let go runs for a moment inside the kernel, on its way back into the group-stop.
		eventually(t, "stopped and let go", func() bool { return allIn(c.pid, "T") && tracedBy(c.pid, 0) })
		if s := proven(t, log); s.end.Events != 0 {
			t.Errorf("%d events of a stopped process", s.end.Events)
		}
	}
	// Continued while attached, it runs; stopped while attached, it stays so.
	a := attached(t, log, c.pid)
	c.signal(syscall.SIGCONT)
	eventually(t, "it runs", func() bool {
		text, _ := os.ReadFile(log)
		return bytes.Contains(text, []byte(`{"type":"event"`))
	})
	a.signal(syscall.SIGINT)
	a.mustEnd("exit status 0")
	mustBeFree(t, c.pid)
	proven(t, log)
	a = attached(t, log, c.pid)
	c.signal(syscall.SIGSTOP)
	eventually(t, "it stands", func() bool { return allIn(c.pid, "tT") })
	a.signal(syscall.SIGINT)
	a.mustEnd("exit status 0")
	proven(t, log)
	eventually(t, "it stays stopped", func() bool { return allIn(c.pid, "T") })
	c.signal(syscall.SIGCONT)
	c.signal(syscall.SIGTERM)
	c.mustEnd("exit status 0")
}

// A signal that does nothing ends no sleep, although a tracer is told of it.
func TestIgnoredSignals(t *testing.T) {
	for _, flags := range [][]string{nil, {"--no-seccomp"}} {
		log := filepath.Join(t.TempDir(), "log.jsonl")
		c := launch(t, log, append(flags, prog(t, "ignored_signals"))...)
		c.mustEnd("exit status 0")
		if got := c.line("ignored"); got != "ignored sent=100 returned=0" {
			t.Error(got)
		}
		proven(t, log)
	}
}

// What ends or stops vmblame when it comes from the terminal is the program's affair.
func TestRunPassesSignals(t *testing.T) {
	script := `for s in HUP INT QUIT TERM; do trap "echo $s; n=x\$n" $s; done; echo ready
		while [ ${#n} -lt 4 ]; do read -t 0.01 x <>fifo; done; exit 7`
	log := filepath.Join(t.TempDir(), "log.jsonl")
	c := begin(t, []string{built.vmblame, "run", "-q", "-o", log, "--", "bash", "-c", "mkfifo fifo; " + script})
	wait := func(text string) {
		t.Helper()
		eventually(t, "its output is "+text, func() bool { return c.text("stdout") == text })
	}
	wait("ready\n")
	c.signal(syscall.SIGINT)
	c.signal(syscall.SIGQUIT)
	c.signal(syscall.SIGTERM)
	wait("ready\nTERM\n")
	c.signal(syscall.SIGTERM)
	wait("ready\nTERM\nTERM\n")
	// Sent to both it comes once.
	if err := syscall.Kill(-c.pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	wait("ready\nTERM\nTERM\nTERM\n")
	c.signal(syscall.SIGHUP)
	c.mustEnd("exit status 7")
	if got := c.text("stdout"); got != "ready\nTERM\nTERM\nTERM\nHUP\n" {
		t.Errorf("%q", got)
	}
	proven(t, log)
}

// The end of the program is vmblame's.
func TestRunEndsAsTheProgram(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.jsonl")
	for _, c := range []struct{ script, end string }{
		{"exit 0", "exit status 0"}, {"exit 42", "exit status 42"}, {"exit 255", "exit status 255"},
		{"kill -TERM $$", "signal: terminated"}, {"kill -INT $$", "signal: interrupt"},
		{"kill -KILL $$", "signal: killed"}, {"ulimit -c 0; kill -QUIT $$", "signal: quit"},
		{"ulimit -c 0; kill -SEGV $$", "signal: segmentation fault"}, {"kill -PIPE $$", "signal: broken pipe"},
		{"kill -USR1 $$", "signal: user defined signal 1"}, {"ulimit -c 0; kill -ABRT $$", "signal: aborted"},
	} {
		launch(t, log, "sh", "-c", c.script).mustEnd(c.end)
		s := proven(t, log)
		if s.end.Exit == nil || s.end.Cause != "exit" {
			t.Errorf("%s: %+v", c.script, *s.end)
		}
	}
}

// What the program leaves running is recorded to its end, and can be ended.
func TestRunWithDaemon(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.jsonl")
	c := launch(t, log, "sh", "-c", "sleep 1000 & exit 3")
	var orphan int
	eventually(t, "only the daemon is left", func() bool {
		left := traceesOf(c.pid)
		if len(left) == 1 && len(childrenOf(c.pid)) == 0 {
			orphan = left[0]
		}
		return orphan != 0
	})
	eventually(t, "vmblame passes SIGTERM on", func() bool {
		_ = syscall.Kill(c.pid, syscall.SIGTERM)
		return c.over()
	})
	c.mustEnd("exit status 3")
	if list := threadsOf(orphan); len(list) > 0 && !allIn(orphan, "ZX") {
		t.Errorf("the daemon runs on: %+v", list)
	}
	proven(t, log)
}
