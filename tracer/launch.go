package tracer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/tracer/launcher"
)

// Launch describes a program to start.
type Launch struct {
	Path   string // resolved, no PATH search
	Argv   []string
	Env    []string // the whole environment
	Dir    string   // working directory, "" for ours
	NoASLR bool
	Filter bool // stop by seccomp filter
	Follow bool
	// Alone reports whether children with their own address space run untraced from their first instruction on. It is
	// not possible with a filter.
	Alone bool
	// Credential, if not nil, is the user to switch to before the program starts.
	Credential *Credential
}

// Credential is the user a launched program runs as.
type Credential struct {
	UID, GID int
	Groups   []int
}

// LaunchError says which step of a launch failed: Step is "chdir", "user", "seccomp" or "exec".
type LaunchError struct {
	Step string
	Err  syscall.Errno
}

// Error implements error.
func (e *LaunchError) Error() string { return e.Step + ": " + e.Err.Error() }

// Unwrap returns the errno.
func (e *LaunchError) Unwrap() error { return e.Err }

// KilledError says that a signal killed the launch helper before it was the program: Ctrl-C, which the terminal sends to
// all processes in its foreground, or the kernel, for want of memory.
type KilledError struct{ Signal syscall.Signal }

// Error names the signal.
func (e *KilledError) Error() string {
	return fmt.Sprintf("killed by signal %d (%v) before it began", int(e.Signal), e.Signal)
}

// Launched is what the helper reported along with success.
type Launched struct {
	PID int
	// ASLRKept reports whether Launch.NoASLR was refused.
	ASLRKept bool
}

// Prepare starts the launch helper and does not wait for it: its start takes as long as much of what is to be done
// meanwhile. Start makes it become the program.
func (t *Tracer) Prepare(l Launch) (*Prepared, error) {
	configR, configW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	statusR, statusW, err := os.Pipe()
	if err != nil {
		configR.Close()
		configW.Close()
		return nil, err
	}
	defer configR.Close()
	// The program inherits every descriptor that we were given, at the same number, so the pipes must not be moved
	// onto one: they keep their present numbers, which are unused by the user's descriptors.
	cfd, sfd := int(configR.Fd()), int(statusW.Fd())
	for _, fd := range []int{cfd, sfd} {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return nil, fmt.Errorf("fcntl: %w", err)
		}
	}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{launcher.Name, strconv.Itoa(cfd), strconv.Itoa(sfd)},
		&syscall.ProcAttr{Env: launcherEnv(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		configW.Close()
		statusR.Close()
		statusW.Close()
		return nil, fmt.Errorf("start the launch helper: %w", err)
	}
	statusW.Close()
	return &Prepared{PID: pid, tracer: t, launch: l, config: configW, status: statusR, statusFD: sfd}, nil
}

// seize waits until the helper is ready and seizes it.
func (p *Prepared) seize() error {
	// fork returned once the helper's exec had its new memory, which is before the event stop of that exec would come:
	// seized then, the helper would have reported it as the program's.
	if _, err := p.report(); err != nil {
		return fmt.Errorf("start the launch helper: %w", err)
	}
	t, l := p.tracer, &p.launch
	options := uintptr(attachOptions | followOptions)
	if l.Filter {
		options |= unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_EXITKILL
	} else if !l.Follow {
		options &^= followOptions
	} else if l.Alone {
		options &^= unix.PTRACE_O_TRACEFORK // vfork's child shares the space until it executes a program
	}
	if e := ptraceSeize(p.PID, options); e != 0 {
		return fmt.Errorf("seize the launch helper: %s", explainRefusal(p.PID, e))
	}
	t.filter, t.follow, t.prelude, t.launched = l.Filter, l.Follow, true, p.PID
	if l.Filter {
		t.backend = BySeccomp
	}
	t.add(&Thread{TID: p.PID, TGID: p.PID, state: running, born: true})
	return nil
}

// launcherEnv keeps Go's runtime in the helper quiet and small.
func launcherEnv() []string { return []string{"GOMAXPROCS=1", "GOGC=off"} }

// Prepared is a launch helper that waits.
type Prepared struct {
	PID      int
	tracer   *Tracer
	launch   Launch
	config   *os.File
	status   *os.File
	statusFD int // the number of its other end in the helper
}

// report is a status message of the helper.
type report struct {
	step  launcher.Step
	value uint64 // see launcher.StatusSize
}

// report reads the next message: one when the helper is ready, one before the exec, one if a step fails.
func (p *Prepared) report() (report, error) {
	var m [launcher.StatusSize]byte
	if _, err := io.ReadFull(p.status, m[:]); err != nil {
		return report{}, err
	}
	return report{launcher.Step(binary.NativeEndian.Uint64(m[:])), binary.NativeEndian.Uint64(m[8:])}, nil
}

// config returns the helper's configuration. A filter stops the calls of rows. status is the helper's descriptor.
func (l *Launch) config(rows []Syscall, status int) *launcher.Config {
	c := &launcher.Config{Status: status, Path: l.Path, Argv: l.Argv, Env: l.Env, Dir: l.Dir, NoASLR: l.NoASLR}
	if l.Filter {
		insns := buildFilter(rows)
		c.Filter = unsafe.Slice((*byte)(unsafe.Pointer(&insns[0])), len(insns)*int(unsafe.Sizeof(insns[0])))
	}
	if u := l.Credential; u != nil {
		c.SetUser, c.UID, c.GID = true, uint32(u.UID), uint32(u.GID)
		for _, g := range u.Groups {
			c.Groups = append(c.Groups, uint32(g))
		}
	}
	c.Ignored, c.Blocked, c.SetSignals = launcher.Signals()
	c.Closed = launcher.Closed()
	return c
}

// Abandon kills and reaps the helper.
func (p *Prepared) Abandon() {
	p.config.Close()
	p.status.Close()
	_ = syscall.Kill(p.PID, syscall.SIGKILL)
	for {
		// Its threads stop once more at their exit, and must be resumed.
		tid, status, e := wait4(true)
		if e == syscall.ECHILD {
			break
		}
		if e == 0 && status.Stopped() {
			ptrace(unix.PTRACE_CONT, tid, 0, 0)
		}
	}
	clear(p.tracer.threads)
	clear(p.tracer.groups)
}

// Start makes the helper become the program. Next then returns the Execed stop at the program's first instruction. A
// failure is a *LaunchError or a *KilledError where that is why.
func (p *Prepared) Start() (Launched, error) {
	t := p.tracer
	if err := p.seize(); err != nil {
		err = p.why(err)
		p.Abandon()
		return Launched{}, err
	}
	if _, err := p.config.Write(p.launch.config(followed(p.tracer.advice), p.statusFD).Encode()); err != nil {
		err = p.why(fmt.Errorf("configure the launch helper: %w", err))
		p.Abandon()
		return Launched{}, err
	}
	p.config.Close()
	defer p.status.Close()
	for t.prelude {
		stop, err := t.Next()
		if err == nil && stop.Kind == Gone && stop.Status.Signaled() {
			return Launched{}, &KilledError{stop.Status.Signal()}
		}
		if errors.Is(err, io.EOF) || err == nil && stop.Kind == Gone {
			return Launched{}, p.failure()
		}
		if err != nil {
			return Launched{}, err
		}
		if stop.Kind == Execed {
			t.ready = append([]Stop{*stop}, t.ready...)
		}
	}
	r, _ := p.report()
	kept := p.launch.NoASLR && (int64(r.value) < 0 || r.value&launcher.AddrNoRandomize == 0)
	return Launched{PID: p.PID, ASLRKept: kept}, nil
}

// why returns err, or a *KilledError if a signal has killed the helper, which is why then. The helper is not reaped.
func (p *Prepared) why(err error) error {
	options := unix.WEXITED | unix.WNOWAIT
	if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.EPIPE) { // nobody but the helper has the other ends
		options |= unix.WNOHANG
	}
	var info unix.Siginfo
	for {
		e := unix.Waitid(unix.P_PID, p.PID, &info, options, nil)
		if e == nil {
			break
		}
		if e != unix.EINTR {
			return err
		}
	}
	if child := (*childInfo)(unsafe.Pointer(&info)); child.code == cldKilled || child.code == cldDumped {
		return &KilledError{syscall.Signal(child.status)}
	}
	return err
}

// childInfo is siginfo_t as waitid(2) fills it in (include/uapi/asm-generic/siginfo.h). code is 0 where no child has ended.
type childInfo struct {
	signo, errno, code, _ int32
	pid, uid, status      int32
}

const cldKilled, cldDumped = 2, 3 // CLD_KILLED, CLD_DUMPED

// failure reads why the helper ended.
func (p *Prepared) failure() error {
	steps := map[launcher.Step]string{launcher.Chdir: "chdir", launcher.Seccomp: "seccomp", launcher.User: "user", launcher.Exec: "exec"}
	for {
		r, err := p.report()
		if err != nil {
			return errors.New("the launch helper ended without a word")
		}
		if step, failed := steps[r.step]; failed {
			return &LaunchError{step, syscall.Errno(r.value)}
		}
	}
}
