package tracer

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/testenv"
)

// spawn starts a program that is killed and reaped when the test is over.
func spawn(t *testing.T, argv ...string) int {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	in, err := cmd.StdinPipe() // what reads it sleeps
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = in.Close()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

// until polls a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

// on runs f with a Tracer, on a thread of its own that ends with it.
func on(t *testing.T, f func(*Tracer)) {
	t.Helper()
	testenv.Need(t, "ptrace")
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends here, and lets go what it still traces
		f(New())
	}()
	<-done
}

// next wants a Stop of one kind; Woken ones are left out.
func next(t *testing.T, tr *Tracer, kind Kind) *Stop {
	t.Helper()
	for {
		s, err := tr.Next()
		if err != nil {
			t.Errorf("%v, want kind %d", err, kind)
			return nil
		}
		if s.Kind == kind {
			return s
		}
		if s.Kind != Woken {
			t.Errorf("kind %d, want %d", s.Kind, kind)
			return nil
		}
	}
}

func TestAttachQuietDetach(t *testing.T) {
	pid := spawn(t, "sh", "-c", "read line")
	until(t, "sh reads", func() bool { return asleep(pid) })
	on(t, func(tr *Tracer) {
		for range 20 {
			late, err := tr.Attach(pid, true)
			if err != nil || len(late) != 0 {
				t.Errorf("late %v, %v", late, err)
				return
			}
			s := next(t, tr, Started)
			if s == nil || s.Thread.TID != pid || s.Thread.TGID != pid {
				t.Errorf("%+v", s)
				return
			}
			th := s.Thread
			tr.Resume(th)
			tr.Wake()
			if s, err := tr.Next(); err != nil || s.Kind != Woken {
				t.Errorf("%+v, %v", s, err)
			}
			tr.Quiesce()
			next(t, tr, Quiet)
			if tr.Threads() != 1 {
				t.Errorf("%d threads", tr.Threads())
			}
			if left := tr.Detach(); left != 0 {
				t.Errorf("%d threads are left", left)
			}
			if tr.Threads() != 0 {
				t.Errorf("%d threads are left", tr.Threads())
			}
			tr.parking = false
			st, err := readStatus(pid)
			if err != nil || st.tracer != 0 {
				t.Errorf("%+v, %v", st, err)
			}
		}
	})
	until(t, "sh reads again", func() bool { return asleep(pid) })
}

func asleep(pid int) bool {
	call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
	return strings.HasPrefix(string(call), "0 ") // read(2)
}

// A process that was stopped before Attach is reported as group-stopped at its first stop, and is still stopped after
// Detach.
func TestAttachToStopped(t *testing.T) {
	pid := spawn(t, "sh", "-c", "read line")
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(t, "stopped", func() bool { return State(pid) == 'T' })
	on(t, func(tr *Tracer) {
		if _, err := tr.Attach(pid, true); err != nil {
			t.Error(err)
			return
		}
		s := next(t, tr, Started)
		if s == nil || !s.Thread.GroupStopped() {
			t.Errorf("%+v", s)
			return
		}
		tr.Resume(s.Thread)
		if s.Thread.state != listening {
			t.Errorf("state %d", s.Thread.state)
		}
		tr.Quiesce()
		if left := tr.Detach(); left != 0 {
			t.Errorf("%d threads are left", left)
		}
	})
	until(t, "stopped again", func() bool { return State(pid) == 'T' })
}

func TestAttachErrors(t *testing.T) {
	follower := followerThread(t)
	on(t, func(tr *Tracer) {
		for _, c := range []struct {
			pid  int
			want string
		}{
			{noPID, "no such process"}, {os.Getpid(), "vmblame itself"},
			{follower, fmt.Sprintf("thread of process %d", os.Getpid())},
		} {
			_, err := tr.Attach(c.pid, true)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), fmt.Sprintf("attach %d: ", c.pid)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		}
	})
}

// noPID is greater than every pid (PID_MAX_LIMIT, proc_sys_kernel(5)).
const noPID = 1 << 22

// A kernel thread tells of itself by a line of /proc/PID/status since Linux 6.8, before by a flag in
// /proc/PID/stat. None can be seen from another pid namespace than the first: these are recorded.
func TestAttachToKernelThread(t *testing.T) {
	const (
		status   = "Name:\tkworker/0:1)-ev\nUmask:\t0000\nState:\tI (idle)\nTgid:\t9\nNgid:\t0\nPid:\t9\nPPid:\t2\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nNSpid:\t9\n"
		stat     = "9 (kworker/0:1)-ev) I 2 0 0 0 -1 69238880 0 0 0 0 0 44 0 0 20 0 1 0 13 0 0"
		userStat = "9 (sh) S 1 9 9 0 -1 4194304 104 0 0 0 0 0 0 0 20 0 1 0 13 2654208 250"
	)
	now := parseStatus([]byte(status + "Kthread:\t1\nThreads:\t1\n"))
	before := parseStatus([]byte(status + "Threads:\t1\n"))
	if !now.kernel || before.kernel || !isKernelThread([]byte(stat)) || isKernelThread([]byte(userStat)) || isKernelThread([]byte("9 (x")) {
		t.Errorf("%+v, %+v", now, before)
	}
	if err := now.attachable(9); err == nil || !strings.Contains(err.Error(), "attach 9: kworker/0:1)-ev is a kernel thread") {
		t.Error(err)
	}
	if user := parseStatus([]byte(status + "Kthread:\t0\n")); user.attachable(9) != nil {
		t.Error(user.attachable(9))
	}
}

// followerThread returns a thread of this process that is not its leader and stays until the test is over.
// The calling thread will not do: the scheduler may run any goroutine on the leader.
func followerThread(t *testing.T) int {
	t.Helper()
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	tids := make(chan int)
	for {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			tids <- unix.Gettid()
			<-over
		}()
		if tid := <-tids; tid != os.Getpid() {
			return tid
		}
		// That one keeps the leader.
	}
}

func TestIgnores(t *testing.T) {
	pid := spawn(t, "sh", "-c", "trap '' USR1; trap : WINCH; echo >/dev/null; read line")
	until(t, "sh reads", func() bool { return asleep(pid) })
	for sig, want := range map[syscall.Signal]bool{
		syscall.SIGUSR1: true, syscall.SIGUSR2: false, syscall.SIGTERM: false, syscall.SIGWINCH: false,
		syscall.SIGURG: true, syscall.SIGCONT: true, 40: false, 64: false,
	} {
		if got := ignores(pid, sig); got != want {
			t.Errorf("%v: %v", sig, got)
		}
	}
	if ignores(noPID, syscall.SIGURG) {
		t.Error("a process that does not exist ignores a signal")
	}
}
