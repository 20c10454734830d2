package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/testenv"
)

// terminal is an interactive shell on a pseudo terminal.
type terminal struct {
	*child
	keyboard *os.File
	mu       sync.Mutex
	shown    string // not yet matched
}

func openTerminal(t *testing.T) *terminal {
	t.Helper()
	master, slave := testenv.Terminal(t)
	defer slave.Close()
	s := &terminal{keyboard: master}
	s.child = begin(t, []string{"bash", "--norc", "--noprofile", "--noediting", "-i"}, func(cmd *exec.Cmd) {
		cmd.Env = append(os.Environ(), "PS1=ready> ", "TERM=dumb")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	})
	go func() {
		var b [4096]byte
		for {
			n, err := master.Read(b[:])
			s.mu.Lock()
			s.shown += strings.ReplaceAll(string(b[:n]), "\r", "")
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { master.Close() })
	s.expect(`ready> `)
	return s
}

// press types text; ^Z is "\x1a".
func (s *terminal) press(text string) {
	s.t.Helper()
	if _, err := s.keyboard.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// expect waits until the terminal shows what the pattern describes, and returns the first group.
func (s *terminal) expect(pattern string) string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		m := re.FindStringSubmatchIndex(s.shown)
		if m != nil {
			found := s.shown[m[len(m)-2]:m[len(m)-1]]
			s.shown = s.shown[m[1]:]
			s.mu.Unlock()
			return found
		}
		shown := s.shown
		s.mu.Unlock()
		if time.Now().After(end) {
			s.t.Fatalf("the terminal never shows %q but %q\n%s", pattern, shown, stacksOf(s.pid))
		}
	}
}

// ^Z, bg, fg and ^C do what they do without vmblame.
func TestJobControl(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log.jsonl")
	// One that leaves the signal its default action, and one that cleans up before it stops, as editors do.
	// It writes by itself: print may not be called by a handler that interrupts a print.
	handler := `import os, signal, sys
def stop(*_):
    os.write(1, b"cleans up\n")
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, stop)
signal.signal(signal.SIGTSTP, stop)
os.write(1, b"begun\n")
for line in sys.stdin: os.write(1, b"got " + line.encode())
`
	script := filepath.Join(t.TempDir(), "handler.py")
	if err := os.WriteFile(script, []byte(handler), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{`bash -c 'echo be"gun"; while read x; do echo got $x; done'`, "python3 " + script} {
		t.Run(strings.Fields(program)[0], func(t *testing.T) {
			testenv.Need(t, strings.Fields(program)[0])
			if arg, ok := strings.CutPrefix(program, "python3 "); ok {
				program = testenv.Python(t) + " " + arg
			}
			for _, flag := range []string{"", "--no-seccomp "} {
				s := openTerminal(t)
				s.press(built.vmblame + " run -q -o " + log + " " + flag + program + "\n")
				s.expect(`begun\n`)
				for i := range 3 {
					s.press("\x1a")
					s.expect(`Stopped .*\n(?s:.*)ready> `)
					s.press("fg\n")
					s.expect(`run -q .*\n`)
					s.press(fmt.Sprintf("line%d\n", i))
					s.expect(fmt.Sprintf(`got line%d\n`, i))
				}
				// In the background it is stopped because it reads.
				s.press("\x1a")
				s.expect(`Stopped .*\n(?s:.*)ready> `)
				s.press("bg\n")
				s.expect(`ready> `)
				for state := ""; state != "Stopped"; {
					s.press("jobs\n")
					state = s.expect(`(?m)^\[1\]\S* +(Stopped|Running) (?s:.*)ready> `)
				}
				s.press("fg\n")
				s.expect(`run -q .*\n`)
				s.press("again\n")
				s.expect(`got again\n`)
				s.press("\x03")
				s.expect(`ready> `)
				s.press("echo status=$?\n")
				if got := s.expect(`(?m)^status=(\d+)$`); got != "130" {
					t.Errorf("%s: status %s", program, got)
				}
				s.press("exit 0\n")
				s.mustEnd("exit status 0")
				proven(t, log)
			}
		})
	}
}

// Ctrl-C detaches; ^Z would freeze the process and does nothing.
func TestAttachOnTerminal(t *testing.T) {
	c := begin(t, []string{prog(t, "churn"), "1000s"})
	eventually(t, "churn is ready", func() bool { return c.line("ready") != "" })
	log := filepath.Join(t.TempDir(), "log.jsonl")
	s := openTerminal(t)
	s.press(fmt.Sprintf("%s attach -o %s %d\n", built.vmblame, log, c.pid))
	eventually(t, "attached", func() bool { l := threadsOf(c.pid); return len(l) > 0 && l[0].tracer != 0 })
	s.press("\x1a")
	s.expect(`\^Z is ignored`)
	s.press("\x03")
	s.expect(`(?s:.*)ready> `)
	s.press("echo status=$?\n")
	if got := s.expect(`(?m)^status=(\d+)$`); got != "0" {
		t.Errorf("status %s", got)
	}
	mustBeFree(t, c.pid)
	if st := proven(t, log); st.end.Cause != "detach" {
		t.Errorf("%+v", *st.end)
	}
	s.press("exit 0\n")
	s.mustEnd("exit status 0")
}
