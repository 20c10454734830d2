package record

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/tracer"
)

// choose settles how stops are had: what was asked for, or the best that works here. For a program that it launches
// that is the filter, which sees every followed call, those that fail before they reach the mappings and execve
// included; for a running process it is sigtrap, which costs nothing where nothing maps.
func (r *Recorder) choose() error {
	defer func() {
		// A program that carries a filter keeps its privileges only where who installed it had CAP_SYS_ADMIN: without,
		// the helper has to set no_new_privs first (seccomp(2)).
		r.privileged = tracer.HasCapability(unix.CAP_SYS_PTRACE) && (r.backend != tracer.BySeccomp || tracer.HasCapability(unix.CAP_SYS_ADMIN))
	}()
	attach := len(r.opts.PIDs) > 0
	r.backend = tracer.BySeccomp
	if attach || r.opts.NoSeccomp {
		r.backend = tracer.BySyscall
	}
	auto := r.opts.Backend == "" || r.opts.Backend == "auto"
	if !auto {
		backend, err := tracer.ParseBackend(r.opts.Backend)
		if err != nil {
			return &Error{Failed, err.Error()}
		}
		r.backend = backend
		r.opts.NoSeccomp = backend != tracer.BySeccomp
	}
	if auto && !attach || !auto && r.backend != tracer.BySigtrap {
		return nil
	}
	err := r.tracer.SigtrapWorks()
	if err == nil {
		err = r.tracer.Arm()
	}
	switch {
	case err == nil:
		r.backend = tracer.BySigtrap
	case !auto:
		return &Error{Failed, fmt.Sprintf("--backend sigtrap: %v", err)}
	default:
		r.lesser = err.Error()
	}
	return nil
}

// headerBackend is what the log says of it.
func (r *Recorder) headerBackend() *eventlog.Backend {
	return &eventlog.Backend{Name: r.backend.String(), Why: r.lesser}
}

// price is what attaching costs the processes, from measurement. It must be called before there are tracees.
func (r *Recorder) price() string {
	if r.opts.Warn == nil {
		return "" // nobody will read it
	}
	cost := func(d time.Duration) string {
		if d == 0 {
			return "? us"
		}
		return fmt.Sprintf("about %.0f us", float64(d.Nanoseconds())/1e3)
	}
	if r.backend == tracer.BySigtrap {
		return "nothing for calls that do not map, " + cost(r.tracer.StopCost()) + " and a walk of the stack for each that does"
	}
	what := cost(r.tracer.MeasureSyscallCost()) + " for EVERY system call"
	if r.lesser != "" {
		what += "; sigtrap would cost nothing for calls that do not map, but: " + r.lesser
	}
	return what
}

// sayAttached is the first line that attach writes.
func (r *Recorder) sayAttached(price string) {
	if r.opts.Warn == nil {
		return
	}
	for _, pid := range r.opts.PIDs {
		threads := "? threads"
		if n := len(procfs.Tasks(pid)); n == 1 {
			threads = "1 thread"
		} else if n > 1 {
			threads = fmt.Sprintf("%d threads", n)
		}
		r.warn(fmt.Sprintf("attached to %s %d, %s, %v: %s", tracer.Identify(pid).Name, pid, threads, r.backend, price))
	}
}

// noteBackend writes what the backend could not do.
func (r *Recorder) noteBackend() {
	for _, u := range r.tracer.Unprotected() {
		r.note("info", "unprotected", fmt.Sprintf("pid %d would die with a vmblame that is killed by SIGKILL while it stands at a stop: %s", u.PID, u.Why))
	}
	if err := r.tracer.ArmFailure(); err != nil {
		r.note("warning", "unordered", fmt.Sprintf("a thread could not be watched by a perf event, and is stopped at every system call: the place of its calls in the order is a guess: %v", err))
	}
}

// Choice is how a command makes calls stop here.
type Choice struct {
	Name string `json:"name"`
	Why  string `json:"why,omitempty"` // why not a better way
}

// Backends says what run and attach would use, and runs the self-test for that. It must be called on the process's
// first thread, to which the goroutine is locked.
func Backends() (run, attach Choice) {
	run = Choice{Name: tracer.BySeccomp.String()}
	attach = Choice{Name: tracer.BySigtrap.String()}
	if err := tracer.New().SigtrapWorks(); err != nil {
		attach = Choice{tracer.BySyscall.String(), err.Error()}
	}
	return run, attach
}
