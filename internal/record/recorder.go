package record

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/modules"
	"github.com/vmblame/vmblame/internal/naming"
	"github.com/vmblame/vmblame/internal/order"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/tracer"
	"github.com/vmblame/vmblame/unwind"
)

// Recorder is one recording; the package comment says which goroutine may touch what.
type Recorder struct {
	opts     Options
	tracer   *tracer.Tracer
	source   tracer.Source
	backend  *backend
	wake     *wake
	signals  *signals
	hugePage uint64 // bytes of a default huge page

	tasks    tasks
	expected map[int]*inheritance // by tid, between Cloned and Started
	chosen   map[int]bool         // the processes that were asked for
	current  *task                // the task whose stop is being handled
	rules    *order.Rules
	backlog  *backlog
	spaces   int             // how many have been announced
	maps     descriptors     // of the spaces
	changes  []ledger.Change // reused

	modules *modules.Table
	stacks  *stacks
	names   *naming.Names
	out     *output

	looks *looks
	leaks leaks

	around   surroundings
	interval interval
	listed   map[string]bool // the variables of the environment whose values are recorded

	mainPID int
	exit    *eventlog.Exit
	ending  string // why the recording ends, "" while it goes on
	endBy   time.Time
}

func newRecorder(o Options) *Recorder {
	boundHeap()
	// With one P only, Go's monitor takes it from the tracer's thread in every wait, and the thread has to get
	// it back at every stop; with a spare one it is left where it is (runtime/proc.go, retake).
	if runtime.GOMAXPROCS(0) < 2 {
		runtime.GOMAXPROCS(2)
	}
	t := tracer.New()
	r := assemble(o, t)
	r.tracer = t
	r.backend.tracer = t
	r.wake = newWake(t.Wake)
	r.signals = &signals{r: r}
	r.looks = &looks{out: r.out, ring: t.Wake}
	return r
}

// assemble puts together what handles the stops of a source.
func assemble(o Options, source tracer.Source) *Recorder {
	r := &Recorder{
		opts: o, source: source, hugePage: procfs.HugePageSize(),
		maps: newDescriptors(), tasks: make(tasks), expected: make(map[int]*inheritance), chosen: make(map[int]bool),
		names: naming.New(naming.Options{DebugDirs: o.DebugDirs, Debuginfod: o.Debuginfod, Early: o.Names}),
		out:   newOutput(o.Warn),
	}
	r.listed = listedVariables()
	r.rules = r.orderRules()
	r.backlog = newBacklog(r)
	r.backend = &backend{}
	r.stacks = &stacks{out: r.out, names: r.names, interner: unwind.NewInterner(), maxFrames: cmp.Or(max(o.MaxFrames, 0), 256), none: o.NoStacks}
	r.leaks = leaks{out: r.out, launches: o.Command != nil, kept: o.LSan == "keep", told: make(map[fileID]bool)}
	r.modules = modules.New(r.stacks.announceModule)
	r.stacks.modules = r.modules
	return r
}

// loop handles stops until no tracee is left, or until all are quiet once an end was asked for.
func (r *Recorder) loop() error {
	for {
		s, err := r.source.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if s.Kind == tracer.Quiet {
			return nil
		}
		if r.handle(s) {
			return nil
		}
	}
}

// handle acts on one stop, and reports whether the recording is to end.
func (r *Recorder) handle(s *tracer.Stop) bool {
	var t *task
	if s.Thread != nil {
		t, _ = s.Thread.Data.(*task)
	}
	r.current = t
	switch s.Kind {
	case tracer.Started:
		r.started(s.Thread)
	case tracer.Execed:
		r.execed(s)
	case tracer.Gone:
		r.gone(s.Thread, s)
	case tracer.GroupStopped:
		r.signals.stopWithProgram()
	case tracer.Settled:
		r.backlog.settle(s.Order)
	case tracer.Woken:
		return r.awake()
	default:
		if t == nil && s.Kind == tracer.Exiting {
			t = r.exitedBeforeStart(s.Thread)
			r.current = t
		}
		if t == nil {
			r.source.Resume(s.Thread)
			return false
		}
		switch s.Kind {
		case tracer.Entered:
			r.entered(t, s.Call)
		case tracer.Returned:
			if s.NotExecuted {
				r.notExecuted(&t.pending)
				r.source.Resume(s.Thread)
				return false
			}
			if s.Order != 0 {
				r.backlog.returned(t, s)
				return false
			}
			if r.standsApart(t, s.Result) {
				r.source.Resume(s.Thread)
				r.returned(t, s.Result)
				return false
			}
			r.returned(t, s.Result)
			r.source.Resume(s.Thread)
		case tracer.Noticed:
			r.noticed(t, s.Notice)
			r.source.Resume(s.Thread)
		case tracer.Touched:
			r.backlog.touched(t, s)
		case tracer.Missed:
			r.backlog.missed(t, s)
		case tracer.Advised:
			r.toldOfAdvice(t, s)
		case tracer.Cloned:
			if s.Order != 0 {
				r.backlog.forked(t, s)
				return false
			}
			r.cloned(t, s.Child, s.Call)
		case tracer.Exiting:
			r.exiting(t, s)
		}
	}
	return false
}

// awake handles timers and requests, and reports whether the recording is to end.
func (r *Recorder) awake() bool {
	r.backend.note(r.out)
	r.wake.answer()
	r.looks.take()
	seen := make(map[*space]bool)
	for _, t := range r.tasks {
		if sp := t.space; sp != nil && sp.gate.Waiting() && !seen[sp] {
			seen[sp] = true
			r.overdue(sp)
		}
	}
	r.out.queue.Flush()
	return r.ending == "failed" || r.ending != "" && r.waitedEnough()
}

// run delivers records to the sinks while body runs, and ends the log.
func (r *Recorder) run(sinks []eventlog.Sink, body func() error) (Outcome, error) {
	delivered := make(chan struct{})
	go r.out.deliver(sinks, r.names, r.opts.Names, delivered)
	stop := make(chan struct{})
	idle, named := make(chan struct{}), make(chan struct{})
	go r.wake.regularly(stop, idle)
	go r.nameFrames(stop, named)
	err := r.guarded(body)
	r.wake.over.Store(true)
	if err != nil {
		r.ending = "failed"
		r.out.note("warning", "failed", err.Error())
	}
	r.out.queue.Flush()
	close(stop)
	<-idle
	end := eventlog.End{T: r.out.now(), Cause: r.ending, Exit: r.exit, Events: r.out.queue.Events(), Stacks: r.out.stacks,
		Checks: r.out.checks, Drifts: r.out.drifts}
	if r.opts.Command == nil {
		end.Exit = nil
	}
	if end.System = r.around.cgroup(r.around.group); len(end.System) == 0 {
		end.System = nil
	}
	r.out.catchUp() // all stacks have reached the sinks: what is named now is all that is left
	var within time.Duration
	if r.opts.NamesWithin != nil {
		within = r.opts.NamesWithin()
	}
	last, rest := r.names.Last(named, within)
	r.out.queue.Send(append(last, &end)...)
	r.out.queue.End()
	<-delivered
	return Outcome{Exit: r.exit, End: end, Rest: rest}, err
}

// guarded runs body and turns a panic into an error, so that the log still gets its end.
func (r *Recorder) guarded(body func() error) (err error) {
	defer r.rescue(&err)
	return body()
}

// rescue turns a panic into an error. The tracees are detached, or go on unrecorded; a launched program is waited
// for, because its exit status becomes vmblame's.
func (r *Recorder) rescue(err *error) {
	p := recover()
	if p == nil {
		return
	}
	*err = &Error{Failed, fmt.Sprintf("internal error, the recording ends and all processes go on: %v%s", p, panicSite())}
	r.abandon()
	r.tracer.Abdicate(func(s *tracer.Stop) {
		if s.Thread.TID == r.mainPID {
			r.setExit(s.Status)
		}
	})
	if r.mainPID == 0 || r.exit != nil {
		return
	}
	var status unix.WaitStatus
	for {
		switch _, e := unix.Wait4(r.mainPID, &status, 0, nil); {
		case e == unix.EINTR:
		case e != nil:
			return
		case status.Exited() || status.Signaled():
			r.setExit(status)
			return
		}
	}
}

// abandon writes, after a panic, the records that wait behind calls that have not returned, and a note for each space
// whose ledger was not compared with the kernel's view. It recovers from a further panic, which an inconsistent state
// may cause.
func (r *Recorder) abandon() {
	defer func() { _ = recover() }()
	for e := r.out.queue.FirstOpen(); e != nil; e = r.out.queue.FirstOpen() {
		r.out.withdraw(e.Owner.(*pending))
	}
	seen := make(map[*space]bool)
	unverified := func(sp *space) {
		if sp != nil && !sp.ended && !seen[sp] {
			seen[sp] = true
			r.unverified(sp.pid, "its ledger was not compared with the kernel's view at the end: an internal error ended the recording")
		}
	}
	for _, t := range r.tasks {
		unverified(t.space)
	}
	for _, child := range r.expected {
		unverified(child.forked)
	}
}

// panicSite returns the function and line that panicked, as " (record.(*Recorder).done, calls.go:97)", for the error
// message. It must be called in the deferred function that recovers.
func panicSite() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	panicked := false
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicked = true
		case panicked && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Sprintf(" (%s, %s:%d)", path.Base(f.Function), path.Base(f.File), f.Line)
		}
		if !more {
			return ""
		}
	}
}

// nameFrames runs on its own goroutine until stop is closed.
func (r *Recorder) nameFrames(stop, done chan struct{}) {
	defer close(done)
	defer func() {
		if p := recover(); p != nil { // a bug in naming must not end the recording
			r.out.warn(fmt.Sprintf("internal error, names may be missing: %v%s", p, panicSite()))
		}
	}()
	if !r.opts.Names { // otherwise the sinks' goroutine names frames
		r.names.Background(stop, r.out.queue.Send)
	}
}

// catchUp waits until the sinks have all records that were sent.
func (o *output) catchUp() {
	caught := make(chan struct{})
	o.queue.Send(mark(func() { close(caught) }))
	<-caught
}

// setExit takes note of how the launched program ended.
func (r *Recorder) setExit(status unix.WaitStatus) {
	r.signals.mainGone.Store(true)
	r.exit = exitOf(status)
}

// exitOf is how a process ended.
func exitOf(status unix.WaitStatus) *eventlog.Exit {
	if status.Signaled() {
		n := int(status.Signal())
		return &eventlog.Exit{Signal: &n, Name: signalName(status.Signal())}
	}
	code := status.ExitStatus()
	return &eventlog.Exit{Code: &code}
}

var errNoPID = errors.New("no process to attach to")
