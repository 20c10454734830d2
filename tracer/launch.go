package tracer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
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
	// Credential, where not nil, is taken on before the program starts.
	Credential *Credential
	// Signals are those that this process was given; Prepare fills them in.
	Signals signals
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

// Launched is what the helper reported beside success.
type Launched struct {
	PID int
	// ASLRKept says that Launch.NoASLR was refused.
	ASLRKept bool
}

// launcherName is argv[0] of the launch helper: this executable once more, which waits until it is traced
// and then becomes the program.
const launcherName = "vmblame-launch"

// report is what the helper writes to its status pipe, as JSON: a failure, or what it could not do.
type report struct {
	Step     string
	Errno    int
	ASLRKept bool
}

// Prepare starts the launch helper, seized and waiting. Start makes it become the program.
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
	// The program inherits every descriptor that we were given, at its number, so the pipes must not be moved
	// onto one: they keep the numbers they have here, which are free of the user's.
	cfd, sfd := int(configR.Fd()), int(statusW.Fd())
	for _, fd := range []int{cfd, sfd} {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return nil, fmt.Errorf("fcntl: %w", err)
		}
	}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{launcherName, strconv.Itoa(cfd), strconv.Itoa(sfd)},
		&syscall.ProcAttr{Env: launcherEnv(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		configW.Close()
		statusR.Close()
		statusW.Close()
		return nil, fmt.Errorf("start the launch helper: %w", err)
	}
	statusW.Close()
	l.Signals = inheritedSignals()
	p := &Prepared{PID: pid, tracer: t, launch: l, config: configW, status: statusR, reports: json.NewDecoder(statusR)}
	// fork returns as soon as the helper's exec has taken its new memory, which is before the event stop of
	// that exec would come: seized now, the helper would report it as the program's.
	var ready report
	if err := p.reports.Decode(&ready); err != nil {
		p.Abandon()
		return nil, fmt.Errorf("start the launch helper: %w", err)
	}
	options := uintptr(attachOptions | followOptions)
	if l.Filter {
		options |= unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_EXITKILL
	} else if !l.Follow {
		options &^= followOptions
	}
	if e := ptraceSeize(pid, options); e != 0 {
		why := explainRefusal(pid, e)
		p.Abandon()
		return nil, fmt.Errorf("seize the launch helper: %s", why)
	}
	t.filter, t.follow, t.prelude = l.Filter, l.Follow, true
	t.add(&Thread{TID: pid, TGID: pid, state: running, born: true})
	return p, nil
}

// launcherEnv keeps Go's runtime in the helper quiet and small.
func launcherEnv() []string { return []string{"GOMAXPROCS=1", "GOGC=off"} }

// Prepared is a launch helper that waits.
type Prepared struct {
	PID    int
	tracer *Tracer
	launch Launch
	config *os.File
	status *os.File
	// reports reads status: one line when the helper is there, one before the exec, one where that fails.
	reports *json.Decoder
}

// Abandon kills and reaps the helper.
func (p *Prepared) Abandon() {
	p.config.Close()
	p.status.Close()
	_ = syscall.Kill(p.PID, syscall.SIGKILL)
	for {
		// Its threads stop once more at their exit, and wait to be let go.
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

// Start lets the helper become the program. The Execed stop of the program's first instruction is the next
// that Next hands out. A failure is a *LaunchError.
func (p *Prepared) Start() (Launched, error) {
	t := p.tracer
	if err := json.NewEncoder(p.config).Encode(p.launch); err != nil {
		p.Abandon()
		return Launched{}, fmt.Errorf("configure the launch helper: %w", err)
	}
	p.config.Close()
	defer p.status.Close()
	for t.prelude {
		stop, err := t.Next()
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
	var r report
	_ = p.reports.Decode(&r)
	return Launched{PID: p.PID, ASLRKept: r.ASLRKept}, nil
}

// failure reads why the helper ended.
func (p *Prepared) failure() error {
	var r report
	for p.reports.Decode(&r) == nil {
		if r.Step != "" {
			return &LaunchError{r.Step, syscall.Errno(r.Errno)}
		}
	}
	return errors.New("the launch helper ended without a word")
}

// LauncherMain returns at once, unless this process was started as the launch helper: then it never
// returns. It must be the first thing that main (or a test's TestMain) calls, on the first thread.
func LauncherMain() {
	if len(os.Args) != 3 || os.Args[0] != launcherName {
		return
	}
	cfd, err1 := strconv.Atoi(os.Args[1])
	sfd, err2 := strconv.Atoi(os.Args[2])
	if err1 != nil || err2 != nil {
		return
	}
	syscall.CloseOnExec(cfd)
	syscall.CloseOnExec(sfd)
	status := json.NewEncoder(os.NewFile(uintptr(sfd), "status"))
	_ = status.Encode(report{})
	var l Launch
	if json.NewDecoder(os.NewFile(uintptr(cfd), "config")).Decode(&l) != nil {
		os.Exit(125) // vmblame has gone
	}
	step, err := become(&l, func(r report) { _ = status.Encode(r) })
	errno, _ := errors.AsType[syscall.Errno](err)
	_ = status.Encode(report{Step: step, Errno: int(errno)})
	os.Exit(125)
}

// become turns this process into the program. It returns only on failure, with the step that failed.
func become(l *Launch, tell func(report)) (step string, err error) {
	if l.Dir != "" {
		if err := os.Chdir(l.Dir); err != nil {
			return "chdir", errors.Unwrap(err)
		}
	}
	kept := false
	if l.NoASLR {
		const addrNoRandomize, query = 0x0040000, 0xffffffff
		old, _, _ := syscall.RawSyscall(syscall.SYS_PERSONALITY, query, 0, 0)
		_, _, e := syscall.RawSyscall(syscall.SYS_PERSONALITY, old|addrNoRandomize, 0, 0)
		check, _, _ := syscall.RawSyscall(syscall.SYS_PERSONALITY, query, 0, 0)
		kept = e != 0 || check&addrNoRandomize == 0
	}
	// This line always comes: the pipe's end is no sign, for the kernel closes it only when the new program
	// returns to user mode, and that is after its first stop.
	tell(report{ASLRKept: kept})
	if l.Filter {
		if e := installFilter(); e != 0 {
			return "seccomp", e
		}
	}
	if c := l.Credential; c != nil {
		if e := c.take(); e != 0 {
			return "user", e
		}
	}
	runtime.LockOSThread()
	l.Signals.adopt()
	return "exec", syscall.Exec(l.Path, l.Argv, l.Env)
}

// take sets groups, gid and uid of this thread alone: the others end with execve.
func (c *Credential) take() syscall.Errno {
	groups := make([]uint32, len(c.Groups)+1)
	for i, g := range c.Groups {
		groups[i] = uint32(g)
	}
	if e := rawSetgroups(groups[:len(c.Groups)]); e != 0 && os.Geteuid() != c.UID {
		return e
	}
	if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESGID, uintptr(c.GID), uintptr(c.GID), uintptr(c.GID)); e != 0 {
		return e
	}
	_, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(c.UID), uintptr(c.UID), uintptr(c.UID))
	return e
}
