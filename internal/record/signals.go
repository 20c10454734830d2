package record

import (
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// signals is what becomes of the signals that come to vmblame. pass and the two that catch signals run on other
// goroutines than the tracer's; the rest belongs to that.
type signals struct {
	r            *Recorder
	mainGone     atomic.Bool // the launched program has ended
	keyboardStop time.Time   // when SIGTSTP last came to vmblame
}

// catchForRun catches what must not end vmblame while the program runs, nor while the log is brought to its
// end. SIGINT and SIGQUIT come from the terminal to the program as well, and any signal where the program sends it
// to its process group, which is vmblame's too; SIGTERM and SIGHUP are passed on.
func (s *signals) catchForRun() {
	ch := make(chan os.Signal, 16)
	catch := []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGTSTP,
		syscall.SIGILL, syscall.SIGTRAP, syscall.SIGABRT, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGUSR1, syscall.SIGSEGV,
		syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGSTKFLT, syscall.SIGXCPU, syscall.SIGXFSZ, syscall.SIGVTALRM, syscall.SIGIO,
		syscall.SIGPWR, syscall.SIGSYS}
	for sig := syscall.Signal(35); sig <= 64; sig++ { // real-time signals; Go and C libraries keep those below
		catch = append(catch, sig)
	}
	if !signal.Ignored(syscall.SIGHUP) {
		catch = append(catch, syscall.SIGHUP)
	}
	signal.Notify(ch, catch...)
	go func() {
		for got := range ch {
			switch got {
			case syscall.SIGTERM, syscall.SIGHUP:
				s.pass(got.(syscall.Signal))
			case syscall.SIGTSTP:
				s.r.wake.ask(s.keyboardStopped)
			}
		}
	}()
}

// catchForAttach makes the signals that end vmblame detach it. A second one does not cut the log.
func (s *signals) catchForAttach() {
	ch := make(chan os.Signal, 4)
	// Stopped by ^Z, vmblame would leave the processes standing at their next call.
	catch := []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGTSTP}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		catch = append(catch, syscall.SIGHUP)
	}
	signal.Notify(ch, catch...)
	go func() {
		for got := range ch {
			if got == syscall.SIGTSTP {
				s.r.wake.ask(func() {
					s.r.out.warn("attached processes would stand still with vmblame: ^Z is ignored, Ctrl-C detaches")
				})
				continue
			}
			s.r.wake.ask(func() { s.r.end("detach") })
		}
	}()
}

// ignoreReserved ignores the real-time signals 32 to 34, which C libraries keep for themselves and of which Go's
// runtime neither takes note nor lets anybody: their default is to kill. It is called when the program has
// started, which would inherit it.
func ignoreReserved() {
	// struct kernel_sigaction of x86-64: handler (1 is SIG_IGN), flags, restorer, mask.
	action := [4]uint64{1}
	for sig := uintptr(32); sig <= 34; sig++ {
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	}
}

// A signal to a process group, as timeout(1) and a terminal that hangs up send it, reaches the program as well
// as vmblame. It must not come twice: programs take a second one for impatience. So it is passed on with a
// delay, unless the program has got one from elsewhere about the same time.
const (
	passDelay = 50 * time.Millisecond
	sameTime  = 200 * time.Millisecond
)

// pass sends a signal to the program; once that has ended, to all that it has left running: vmblame goes on
// for them. It is called on the goroutine that gets signals.
func (s *signals) pass(sig syscall.Signal) {
	came := time.Now()
	time.AfterFunc(passDelay, func() {
		switch {
		case !s.mainGone.Load():
			if came.Sub(s.r.tracer.Signalled(sig)) > sameTime {
				_ = syscall.Kill(s.r.mainPID, sig)
			}
		default:
			s.r.wake.ask(func() { s.passToRest(sig) })
		}
	})
}

// passToRest sends a signal to every process that is recorded.
func (s *signals) passToRest(sig syscall.Signal) {
	told := make(map[int]bool)
	for _, t := range s.r.tasks {
		if !told[t.pid] {
			told[t.pid] = true
			_ = syscall.Kill(t.pid, sig)
		}
	}
}

// keyboardStopLasts is how long a program may take to stop after the key was pressed: what handles SIGTSTP
// puts its terminal in order first. Later stops are no answer to that key.
const keyboardStopLasts = 5 * time.Second

// keyboardStopped is asked for when SIGTSTP has come to vmblame.
func (s *signals) keyboardStopped() {
	s.keyboardStop = time.Now()
	s.stopWithProgram()
}

// stopWithProgram stops vmblame when the program was stopped by job control. The shell waits for vmblame,
// not for the program, so vmblame stops too when the key that stopped the program was meant for both: it
// stands in the same process group and got the same signal, before the program's stop or after it. SIGCONT
// then continues both.
func (s *signals) stopWithProgram() {
	if time.Since(s.keyboardStop) > keyboardStopLasts {
		return
	}
	for _, t := range s.r.tasks {
		if t.pid != s.r.mainPID || !t.thread.GroupStopped() {
			continue
		}
		if group, err := unix.Getpgid(s.r.mainPID); err == nil && group == unix.Getpgrp() {
			s.keyboardStop = time.Time{}
			s.r.out.queue.Flush()
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
