package tracer

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// The self-test is the test: it counts calls, stops, records and the kernel's own count of a child.
func TestSelfTest(t *testing.T) {
	testenv.Need(t, "sigtrap")
	on(t, func(tr *Tracer) {
		for range 10 {
			if err := tr.TestSigtrap(); err != nil {
				t.Error(err)
				return
			}
			if tr.backend != BySyscall || len(tr.threads)+len(tr.newborn)+len(tr.queue)+len(tr.ready) != 0 {
				t.Errorf("the self-test leaves %+v", tr)
			}
		}
	})
}

// While it is followed a process ignores SIGTRAP, so that the end of its tracer does not kill it. Afterwards it does
// again what it did before, and goes on where it was.
func TestShield(t *testing.T) {
	testenv.Need(t, "sigtrap")
	for _, script := range []string{"read line", "trap : TRAP; echo >/dev/null; read line", "trap '' TRAP; echo >/dev/null; read line"} {
		pid := spawn(t, "sh", "-c", script)
		until(t, "sh reads", func() bool { return asleep(pid) })
		before, err := readStatus(pid)
		if err != nil {
			t.Fatal(err)
		}
		on(t, func(tr *Tracer) {
			if err := tr.Arm(); err != nil {
				t.Error(err)
				return
			}
			for range 10 {
				tr.parking, tr.armed.closing = false, false
				if _, err := tr.Attach(pid, true); err != nil {
					t.Error(err)
					return
				}
				s := next(t, tr, Started)
				st, err := readStatus(pid)
				if s == nil || err != nil || st.ignored&trapBit == 0 || st.caught&trapBit != 0 {
					t.Errorf("%q: ignores %x, catches %x, %v", script, st.ignored, st.caught, err)
					return
				}
				tr.Resume(s.Thread)
				if left := tr.Detach(); left != 0 {
					t.Errorf("%d threads are left", left)
				}
				after, err := readStatus(pid)
				if err != nil || after.ignored != before.ignored || after.caught != before.caught || after.blocked != before.blocked || after.tracer != 0 {
					t.Errorf("%q: %+v, %v; before %+v", script, after, err, before)
				}
			}
		})
		until(t, "sh reads again", func() bool { return asleep(pid) })
	}
}

// A SIGTRAP that somebody else sends does what it would have done.
func TestOthersTrap(t *testing.T) {
	testenv.Need(t, "sigtrap")
	for script, want := range map[string]string{"trap 'exit 7' TRAP; echo >/dev/null; read line": "exit status 7", "read line": "signal: trace/breakpoint trap"} {
		cmd := exec.Command("sh", "-c", script)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pid := cmd.Process.Pid
		until(t, "sh reads", func() bool { return asleep(pid) })
		var ended string
		on(t, func(tr *Tracer) {
			if err := tr.Arm(); err != nil {
				t.Error(err)
				return
			}
			if _, err := tr.Attach(pid, true); err != nil {
				t.Error(err)
				return
			}
			_ = syscall.Kill(pid, syscall.SIGTRAP)
			for {
				s, err := tr.Next()
				if err != nil {
					return
				}
				if s.Kind == Gone {
					ended = fmt.Sprintf("exit status %d", s.Status.ExitStatus())
					if s.Status.Signaled() {
						ended = "signal: " + s.Status.Signal().String()
					}
				} else if s.Thread != nil {
					tr.Resume(s.Thread)
				}
			}
		})
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if ended != want {
			t.Errorf("%q: %s, want %s", script, ended, want)
		}
	}
}
