package tracer

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

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

// spins is set for a child that runs TestSpins: it computes until its standard input closes.
const spins = "VMBLAME_TEST_SPINS"

// TestSpins is the program of TestWayBack that is in no call when it is interrupted. All of its registers count.
func TestSpins(t *testing.T) {
	if os.Getenv(spins) == "" {
		return
	}
	over := make(chan bool)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(over)
	}()
	compute := func() (x float64, n uint64) {
		x = 1.5
		for i := range uint64(1 << 20) {
			x = x*0.999 + float64(i)*0.25
			n = n*6364136223846793005 + i
		}
		return x, n
	}
	x, n := compute()
	fmt.Println("ready")
	for {
		select {
		case <-over:
			fmt.Println("right")
			return
		default:
		}
		if y, m := compute(); x != y || n != m {
			fmt.Println("wrong")
			return
		}
	}
}

// A thread whose tracer is gone when it makes the injected call goes on as if nothing had been.
func TestWayBack(t *testing.T) {
	testenv.Need(t, "ptrace")
	for _, c := range []struct {
		argv  []string
		first string // it says before
		want  string // it says when its standard input closes
	}{
		{[]string{"sh", "-c", "echo ready; read line; echo ended $?"}, "ready\n", "ended 1\n"},
		{[]string{os.Args[0], "-test.run=^TestSpins$"}, "ready\n", "right\n"},
	} {
		t.Run(filepath.Base(c.argv[0]), func(t *testing.T) { goesBack(t, c.argv, c.first, c.want) })
	}
}

func goesBack(t *testing.T, argv []string, first, want string) {
	testenv.Need(t, argv[0])
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), spins+"=1", "GODEBUG=asyncpreemptoff=1")
	in, out := testenv.Waiting(t, cmd)
	said := bufio.NewReader(out)
	if line, err := said.ReadString('\n'); line != first {
		t.Fatalf("%v: %q, %v", argv, line, err)
	}
	pid := cmd.Process.Pid
	for i := range 16 {
		action := sigaction{handler: uint64(i+1) & 1} // ignored, the default …
		on(t, func(tr *Tracer) {
			if _, err := tr.Attach(pid, true); err != nil {
				t.Error(err)
				return
			}
			s := next(t, tr, Started)
			way := findWayBack(pid)
			if s == nil || !way.known() {
				t.Errorf("%v: %+v", argv, way)
				return
			}
			if _, err := s.Thread.divert(&action, way); err != nil {
				t.Errorf("%v: not diverted: %v", argv, err)
			}
			// As the kernel does for a tracer that is killed.
			for _, th := range tr.threads {
				ptrace(syscall.PTRACE_DETACH, th.TID, 0, uintptr(th.toDeliver))
			}
		})
		until(t, "the call is made", func() bool {
			st, err := readStatus(pid)
			return err != nil || st.tracer == 0 && (st.ignored&trapBit != 0) == (action.handler != 0)
		})
		if t.Failed() {
			return
		}
	}
	in.Close()
	if text, _ := io.ReadAll(said); !strings.HasPrefix(string(text), want) {
		t.Errorf("%v: %q", argv, text)
	}
}

// ignoresTrap is Python that waits for a line and then ignores SIGTRAP. A shell that finds it ignored, as it is because of
// us, leaves it so without a call.
const ignoresTrap = "import os, signal; kill = lambda: os.kill(os.getpid(), 5); os.read(0, 1); signal.signal(5, signal.SIG_IGN); "

// A SIGTRAP that somebody else sends does what it would have done.
func TestOthersTrap(t *testing.T) {
	testenv.Need(t, "sigtrap")
	const ends = "signal: trace/breakpoint trap"
	for _, c := range []struct {
		program, script string // which is sent SIGTRAP, or lines, when it is attached to
		lines           bool
		want            string
	}{
		{"sh", "trap 'exit 7' TRAP; echo >/dev/null; read line", false, "exit status 7"},
		{"sh", "read line", false, ends},
		{"sh", "trap '' TRAP; read line; kill -TRAP $$; exit 7", true, "exit status 7"},
		{"sh", "read line; exec sh -c 'kill -TRAP $$; exit 7'", true, ends},
		{"python3", ignoresTrap + "kill(); kill(); os._exit(7)", true, "exit status 7"},
		{"python3", ignoresTrap + "signal.signal(5, signal.SIG_DFL); kill(); os._exit(7)", true, ends},
		{"python3", fmt.Sprintf("import os, sys; os.read(0, 1); os.execl(sys.executable, 'python3', '-c', %q)", ignoresTrap+"kill(); os._exit(7)"), true, "exit status 7"},
	} {
		if c.program == "python3" {
			c.program = testenv.Python(t)
		}
		cmd := exec.Command(c.program, "-c", c.script)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pid := cmd.Process.Pid
		until(t, c.program+" reads", func() bool { return asleep(pid) })
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
			if c.lines {
				_, _ = io.WriteString(in, "\n\n")
			} else {
				_ = syscall.Kill(pid, syscall.SIGTRAP)
			}
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
		if ended != c.want {
			t.Errorf("%q: %s, want %s", c.script, ended, c.want)
		}
	}
}

// The event that keeps the tracepoint on belongs to no thread and to no descriptor of ours, so that our end does not wait
// for the kernel to switch it off.
func TestHold(t *testing.T) {
	testenv.Need(t, "sigtrap")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tr := New()
	for range 2 {
		if err := tr.Arm(); err != nil {
			t.Fatal(err)
		}
	}
	if len(tr.held) != 1 {
		t.Fatalf("%d events are held", len(tr.held))
	}
	ring := tr.held[tr.armed.tracepoint.id]
	defer ring.Close()
	if what, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", ring.Fd())); what != "anon_inode:[io_uring]" {
		t.Errorf("it is held by %s, %v", what, err)
	}
	const registerFiles = 2 // the event: a ring takes files only once
	file := int32(ring.Fd())
	if _, _, e := unix.Syscall6(unix.SYS_IO_URING_REGISTER, ring.Fd(), registerFiles, uintptr(unsafe.Pointer(&file)), 1, 0, 0); e != unix.EBUSY {
		t.Errorf("the ring has no file: %v", e)
	}
}
