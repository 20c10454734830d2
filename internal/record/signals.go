package record

import (
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/tracer"
)

// signals handles the signals sent to vmblame. pass and the two catch methods run on other goroutines than the
// tracer's; the rest belongs to the tracer's.
type signals struct {
	r            *Recorder
	mainGone     atomic.Bool // the launched program has ended
	keyboardStop time.Time   // when SIGTSTP last came to vmblame
}

// catchForRun keeps signals from ending vmblame while the program runs or the log is being finished, and returns a
// channel that is closed when it has. SIGINT and SIGQUIT from the terminal reach the program as well, and so does any
// signal that the program sends to its process group, which is also vmblame's; SIGTERM and SIGHUP are passed on.
//
// It must be called when the launch helper has been started: what is ignored stays so in a program that we start later.
func (s *signals) catchForRun() (caught chan struct{}) {
	ignore := []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGSTKFLT,
		syscall.SIGXCPU, syscall.SIGXFSZ, syscall.SIGVTALRM, syscall.SIGIO, syscall.SIGPWR}
	for sig := syscall.Signal(35); sig <= 64; sig++ { // real-time signals; Go and C libraries reserve those below
		if sig != tracer.WakeSignal {
			ignore = append(ignore, sig)
		}
	}
	signal.Ignore(ignore...)
	// If a fault were ignored, the kernel would kill vmblame for it.
	catch := []os.Signal{syscall.SIGTERM, syscall.SIGTSTP, tracer.WakeSignal,
		syscall.SIGILL, syscall.SIGTRAP, syscall.SIGABRT, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSYS}
	if !signal.Ignored(syscall.SIGHUP) {
		catch = append(catch, syscall.SIGHUP)
	}
	ch := make(chan os.Signal, 16)
	caught = make(chan struct{})
	go func() {
		// For each of them Notify waits for a thread of the runtime's.
		signal.Notify(ch, catch...)
		close(caught)
		for got := range ch {
			switch got {
			case syscall.SIGTERM, syscall.SIGHUP:
				s.pass(got.(syscall.Signal))
			case syscall.SIGTSTP:
				s.r.wake.ask(s.keyboardStopped)
			}
		}
	}()
	return caught
}

// catchForAttach makes the signals that end vmblame detach it. A second one does not cut the log.
func (s *signals) catchForAttach() {
	ch := make(chan os.Signal, 4)
	// If ^Z stopped vmblame, the tracees would hang at their next call.
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

// ignoreReserved ignores the real-time signals 32 to 34. C libraries reserve them and Go's runtime lets us install no
// handler, so their default action would kill vmblame. It is called after the launched program has started, which
// would inherit the setting.
func ignoreReserved() {
	// struct kernel_sigaction of x86-64: handler (1 is SIG_IGN), flags, restorer, mask.
	action := [4]uint64{1}
	for sig := uintptr(32); sig <= 34; sig++ {
		_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	}
}

// A signal to a process group, as sent by timeout(1) or a terminal that hangs up, reaches both the program and
// vmblame. It must not arrive twice: programs take a second one for impatience. So it is passed on with a delay,
// unless the program has received one from elsewhere at about the same time.
const (
	passDelay = 50 * time.Millisecond
	sameTime  = 200 * time.Millisecond
)

// pass sends a signal to the program, or, once that has ended, to all recorded processes that are left. It is called
// on the goroutine that receives signals.
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

// keyboardStopLasts is how long a program may take to stop after the key was pressed: a SIGTSTP handler first
// restores its terminal. Later stops are not attributed to the key.
const keyboardStopLasts = 5 * time.Second

// keyboardStopped runs when vmblame has received SIGTSTP.
func (s *signals) keyboardStopped() {
	s.keyboardStop = time.Now()
	s.stopWithProgram()
}

// stopWithProgram stops vmblame when job control stopped the program. The shell waits for vmblame, not for the
// program, so vmblame stops too if the key was meant for both: it is in the same process group and got the same
// signal, before or after the program's stop. SIGCONT then continues both.
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
