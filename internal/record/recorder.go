package record

import (
	"errors"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/order"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/tracer"
	"github.com/vmblame/vmblame/unwind"
)

// Recorder is one recording. Its methods run on the tracer's goroutine, deliver and the naming of frames
// excepted.
type Recorder struct {
	opts     Options
	tracer   *tracer.Tracer
	source   tracer.Source
	backend  tracer.Backend
	lesser   string // why the backend is not a better one
	start    time.Time
	maxDepth int
	hugePage uint64 // bytes of a default huge page
	// privileged says that set-user-ID programs get their privileges although we follow them.
	privileged bool

	tasks    map[int]*task
	expected map[int]*inheritance // by tid, between Cloned and Started
	chosen   map[int]bool         // the processes that were asked for
	current  *task                // whose stop is being handled
	changes  []ledger.Change      // reused
	stack    unwind.Stack         // reused

	modules  *modules
	interner *unwind.Interner
	names    *names
	encoder  *encoder
	queue    *order.Queue
	backlog  backlog
	rules    *order.Rules

	stacks, checks, drifts uint64
	spaces, threads        int

	mainPID      int
	exit         *eventlog.Exit
	ending       string // why the recording ends, "" while it goes on
	deadline     *time.Timer
	armed        bool
	requests     chan func()
	looks        []*space // whose memory is being looked into
	endBy        time.Time
	keyboardStop time.Time // when SIGTSTP last came to vmblame
	mainGone     atomic.Bool
	over         atomic.Bool // the tracer's goroutine takes no requests any more
	// sinkFailed is set by the sinks' goroutine.
	sinkFailed atomic.Bool
}

func newRecorder(o Options) *Recorder {
	boundHeap()
	// With one P only, Go's monitor takes it from the tracer's thread in every wait, and the thread has to get
	// it back at every stop; with a spare one it is left where it is (runtime/proc.go, retake).
	if runtime.GOMAXPROCS(0) < 2 {
		runtime.GOMAXPROCS(2)
	}
	r := &Recorder{
		opts: o, tracer: tracer.New(), start: time.Now(), maxDepth: o.MaxDepth, hugePage: procfs.HugePageSize(),
		tasks: make(map[int]*task), expected: make(map[int]*inheritance), chosen: make(map[int]bool),
		modules: newModules(), interner: unwind.NewInterner(), names: newNames(&o), encoder: newEncoder(),
		queue: order.NewQueue(), requests: make(chan func(), 16),
	}
	r.rules = r.orderRules()
	if r.maxDepth <= 0 {
		r.maxDepth = 256
	}
	r.source = r.tracer
	return r
}

// clock is the monotonic clock.
func (r *Recorder) clock() time.Time { return time.Now() }

// now is the time of a record: nanoseconds since the recording began.
func (r *Recorder) now() int64 { return time.Since(r.start).Nanoseconds() }

// wakeIn makes the main loop look at what is overdue after d.
func (r *Recorder) wakeIn(d time.Duration) {
	if r.armed {
		return
	}
	r.armed = true
	if r.deadline == nil {
		r.deadline = time.AfterFunc(d, r.tracer.Wake)
		return
	}
	r.deadline.Reset(d)
}

// ask has f run on the tracer's goroutine soon. It may be called from any goroutine.
func (r *Recorder) ask(f func()) {
	if r.over.Load() {
		return
	}
	r.requests <- f
	r.tracer.Wake()
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

// handle acts on one stop; true ends the loop.
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
		r.groupStopped(s)
	case tracer.Settled:
		r.settle(s.Order)
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
			if s.Order != 0 {
				r.stamped(t, s)
				return false
			}
			r.returned(t, s.Result)
			r.source.Resume(s.Thread)
		case tracer.Touched:
			r.touched(t, s)
		case tracer.Missed:
			r.missed(t, s)
		case tracer.Cloned:
			if s.Order != 0 {
				r.forked(t, s)
				return false
			}
			r.cloned(t, s.Child, s.Call)
		case tracer.Exiting:
			r.exiting(t, s)
		}
	}
	return false
}

// awake handles timers and requests.
func (r *Recorder) awake() bool {
	r.armed = false
	r.noteBackend()
	for {
		select {
		case f := <-r.requests:
			f()
			continue
		default:
		}
		break
	}
	r.takeLooks()
	seen := make(map[*space]bool)
	for _, t := range r.tasks {
		if sp := t.space; sp != nil && sp.gate.Waiting() && !seen[sp] {
			seen[sp] = true
			r.overdue(sp)
		}
	}
	r.queue.Flush()
	return r.ending == "failed" || r.ending != "" && r.giveUp()
}

// run delivers records to the sinks while body runs, and ends the log.
func (r *Recorder) run(sinks []eventlog.Sink, body func() error) (Outcome, error) {
	delivered := make(chan struct{})
	go r.deliver(sinks, delivered)
	stop := make(chan struct{})
	idle, named := make(chan struct{}), make(chan struct{})
	go r.background(stop, idle)
	go r.nameFrames(stop, named)
	err := body()
	r.over.Store(true)
	if err != nil {
		r.ending = "failed"
		r.note("warning", "failed", err.Error())
	}
	r.queue.Flush()
	close(stop)
	<-idle
	<-named
	end := eventlog.End{T: r.now(), Cause: r.ending, Exit: r.exit, Events: r.queue.Events(), Stacks: r.stacks,
		Checks: r.checks, Drifts: r.drifts}
	if r.opts.Command == nil {
		end.Exit = nil
	}
	r.queue.Send(append(r.finalNames(), &end)...)
	r.queue.End()
	<-delivered
	return Outcome{Exit: r.exit, End: end}, err
}

// background keeps records moving while the tracees are idle.
func (r *Recorder) background(stop, done chan struct{}) {
	defer close(done)
	flush := time.NewTicker(200 * time.Millisecond)
	defer flush.Stop()
	for {
		select {
		case <-stop:
			return
		case <-flush.C:
			r.tracer.Wake()
		}
	}
}

func (r *Recorder) setExit(status unix.WaitStatus) {
	r.mainGone.Store(true)
	r.exit = &eventlog.Exit{}
	if status.Signaled() {
		n := int(status.Signal())
		r.exit.Signal, r.exit.Name = &n, signalName(status.Signal())
		return
	}
	code := status.ExitStatus()
	r.exit.Code = &code
}

var errNoPID = errors.New("no process to attach to")
