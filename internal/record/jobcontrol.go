package record

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/tracer"
)

// keyboardStopLasts is how long a program may take to stop after the key was pressed: what handles SIGTSTP
// puts its terminal in order first. Later stops are no answer to that key.
const keyboardStopLasts = 5 * time.Second

// groupStopped handles a process that was stopped by a signal.
func (r *Recorder) groupStopped(*tracer.Stop) { r.stopWithProgram() }

// keyboardStopped is asked for when SIGTSTP has come to vmblame.
func (r *Recorder) keyboardStopped() {
	r.keyboardStop = r.clock()
	r.stopWithProgram()
}

// stopWithProgram stops vmblame when the program was stopped by job control. The shell waits for vmblame,
// not for the program, so vmblame stops too when the key that stopped the program was meant for both: it
// stands in the same process group and got the same signal, before the program's stop or after it. SIGCONT
// then continues both.
func (r *Recorder) stopWithProgram() {
	if r.clock().Sub(r.keyboardStop) > keyboardStopLasts {
		return
	}
	for _, t := range r.tasks {
		if t.pid != r.mainPID || !t.thread.GroupStopped() {
			continue
		}
		if group, err := unix.Getpgid(r.mainPID); err == nil && group == unix.Getpgrp() {
			r.keyboardStop = time.Time{}
			r.queue.Flush()
			_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		}
		return
	}
}

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return s.String()
}
