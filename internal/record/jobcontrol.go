package record

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/tracer"
)

// groupStopped handles a program that was stopped by job control. The shell waits for vmblame, not for
// the program, so vmblame stops too when the key that stopped the program was meant for both: it stands in
// the same process group and got the same signal. SIGCONT then continues both.
func (r *Recorder) groupStopped(s *tracer.Stop) {
	if s.Thread.TID != r.mainPID || s.Status.StopSignal() == syscall.SIGSTOP || !r.keyboardStop.Swap(false) {
		return
	}
	if group, err := unix.Getpgid(r.mainPID); err != nil || group != unix.Getpgrp() {
		return
	}
	r.box.flush()
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return s.String()
}
