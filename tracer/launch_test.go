package tracer

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestKilledHelper: what a signal has done to the launch helper is not taken for a refusal.
func TestKilledHelper(t *testing.T) {
	refused := errors.New("seize the launch helper: permission denied")
	for _, c := range []struct {
		name, script string
		err          error
		want         syscall.Signal // 0: err as it is
	}{
		{"Ctrl-C", "kill -INT $$", io.EOF, syscall.SIGINT},
		{"Ctrl-C, no longer reading", "kill -INT $$", &os.PathError{Op: "write", Err: syscall.EPIPE}, syscall.SIGINT},
		{"out of memory", "kill -KILL $$", io.EOF, syscall.SIGKILL},
		{"it exits", "exit 3", io.EOF, 0},
		{"it lives", "read line", refused, 0},
	} {
		cmd := exec.Command("sh", "-c", c.script)
		in, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		got := (&Prepared{PID: cmd.Process.Pid}).why(c.err)
		killed, ok := errors.AsType[*KilledError](got)
		if ok != (c.want != 0) || ok && killed.Signal != c.want || !ok && got != c.err {
			t.Errorf("%s: %v", c.name, got)
		}
		_ = in.Close()
		_ = cmd.Wait() // why has reaped nothing
		if cmd.ProcessState == nil {
			t.Errorf("%s: it was reaped", c.name)
		}
	}
}
