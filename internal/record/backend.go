package record

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/tracer"
)

// backend is how tracees are made to stop.
type backend struct {
	tracer    *tracer.Tracer
	kind      tracer.Backend
	lesser    string // why no better backend was chosen
	unadvised uint64 // calls of madvise(2) that no stop has reported
	// privileged reports whether set-user-ID programs keep their privileges although they are traced.
	privileged bool
}

// stamps reports whether stops carry a stamp of the kernel's order.
func (b *backend) stamps() bool { return b.kind == tracer.BySigtrap }

// choose selects the backend: the requested one, or the best that works here. For a launched program that is the
// seccomp filter, which sees every followed call, even execve and calls that fail before they reach the mappings; for
// a running process it is sigtrap, which costs nothing while nothing is mapped.
func (b *backend) choose(o *Options) error {
	defer func() {
		// A program with a filter keeps its privileges only if the filter was installed with CAP_SYS_ADMIN: without
		// it, the helper has to set no_new_privs first (seccomp(2)).
		b.privileged = tracer.HasCapability(unix.CAP_SYS_PTRACE) && (b.kind != tracer.BySeccomp || tracer.HasCapability(unix.CAP_SYS_ADMIN))
	}()
	if o.Advice {
		b.tracer.FollowAdvice()
	}
	attach := len(o.PIDs) > 0
	b.kind = tracer.BySeccomp
	if attach || o.NoSeccomp {
		b.kind = tracer.BySyscall
	}
	auto := o.Backend == "" || o.Backend == "auto"
	if o.UntilExit && !o.NoSeccomp {
		attach = true // as there: with the filter none could be let go, its calls would fail
		b.kind, o.NoSeccomp = tracer.BySyscall, true
	}
	if !auto {
		kind, err := tracer.ParseBackend(o.Backend)
		if err != nil {
			return &Error{Failed, err.Error()}
		}
		b.kind = kind
		o.NoSeccomp = kind != tracer.BySeccomp
	}
	if auto && !attach || !auto && b.kind != tracer.BySigtrap {
		return nil
	}
	err := b.tracer.SigtrapWorks()
	if err == nil {
		err = b.tracer.Arm()
	}
	switch {
	case err == nil:
		b.kind = tracer.BySigtrap
	case !auto:
		return &Error{Failed, fmt.Sprintf("--backend sigtrap: %v", err)}
	default:
		b.lesser = err.Error()
	}
	return nil
}

// describe writes the backend's part of the log header.
func (b *backend) describe(h *eventlog.Header, o *Options) {
	h.Backend = &eventlog.Backend{Name: b.kind.String(), Why: b.lesser}
	switch {
	case o.Advice && b.stamps():
		h.Advice = "uncounted" // a call is seen when it has returned
	case o.Advice:
		h.Advice = "counted"
	}
}

// price describes the measured cost of attaching to the processes. It must be called before there are tracees.
func (b *backend) price() string {
	cost := func(d time.Duration) string {
		if d == 0 {
			return "? us"
		}
		return fmt.Sprintf("about %.0f us", float64(d.Nanoseconds())/1e3)
	}
	if b.stamps() {
		return "nothing for calls that do not map, " + cost(b.tracer.StopCost()) + " and a walk of the stack for each that does"
	}
	what := cost(b.tracer.MeasureSyscallCost()) + " for EVERY system call"
	if b.lesser != "" {
		what += "; sigtrap would cost nothing for calls that do not map, but: " + b.lesser
	}
	return what
}

// sayAttached writes the first line of attach.
func (b *backend) sayAttached(pids []int, price string, out *output) {
	for _, pid := range pids {
		threads := "? threads"
		if n := len(procfs.Tasks(pid)); n == 1 {
			threads = "1 thread"
		} else if n > 1 {
			threads = fmt.Sprintf("%d threads", n)
		}
		out.warn(fmt.Sprintf("attached to %s %d, %s, %v: %s", tracer.Identify(pid).Name, pid, threads, b.kind, price))
	}
}

// note writes notes about what the backend could not do.
func (b *backend) note(out *output) {
	for _, u := range b.tracer.Unprotected() {
		out.note("info", "unprotected", fmt.Sprintf("pid %d would die if vmblame were killed by SIGKILL while it is stopped: %s", u.PID, u.Why))
	}
	b.unadvised += b.tracer.Unadvised()
	if err := b.tracer.ArmFailure(); err != nil {
		out.note("warning", "unordered", fmt.Sprintf("a thread could not be watched by a perf event, and is stopped at every system call: the place of its calls in the order is a guess: %v", err))
	}
}

// Choice is the backend that a command would use on this machine.
type Choice struct {
	Name string `json:"name"`
	Why  string `json:"why,omitempty"` // why no better backend
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
