package tracer

import (
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestKilledAtExecStop: a thread that is killed at the stop of its execve goes on to its exit stop, whose event message is the
// exit status. That is no tid; the exec is not handed out.
func TestKilledAtExecStop(t *testing.T) {
	on(t, func(tr *Tracer) {
		cmd := exec.Command("sh", "-c", "read line; exec true")
		in, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Error(err)
			return
		}
		defer func() {
			_ = cmd.Process.Kill()
			_ = in.Close()
			_ = cmd.Wait()
		}()
		pid := cmd.Process.Pid
		if e := ptraceSeize(pid, unix.PTRACE_O_TRACEEXEC|unix.PTRACE_O_TRACEEXIT); e != 0 {
			t.Error(e)
			return
		}
		if _, err := in.Write([]byte("\n")); err != nil {
			t.Error(err)
			return
		}
		until(t, "it is at the stop of its execve", func() bool {
			status, ok := waitFor(pid)
			return ok && status.TrapCause() == unix.PTRACE_EVENT_EXEC
		})
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		until(t, "it is at its exit stop", func() bool {
			code, e := ptraceStopCode(pid)
			return e == 0 && code == ptraceEventExit<<8|int32(syscall.SIGTRAP)
		})
		th := &Thread{TID: pid, TGID: pid, state: stopped, born: true}
		tr.add(th)
		if tr.execed(th) {
			t.Errorf("the exec is handed out: %+v", tr.stop)
		}
		if th.state != running || tr.threads[pid] != th {
			t.Errorf("state %d, threads %v", th.state, tr.threads)
		}
		ptrace(unix.PTRACE_CONT, pid, 0, 0)
	})
}
