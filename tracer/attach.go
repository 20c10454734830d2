package tracer

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// attachOptions are the ptrace options of all tracees. One of them is set later; see seize.
const attachOptions = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXIT

const followOptions = unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK

// stopBound is how long Attach waits for threads to stop: one that waits for its vfork child, or for a device, stops
// only after that wait.
const stopBound = 500 * time.Millisecond

// Attach seizes every thread of process pid and stops them all. Next then returns their Started stops; until those
// are resumed the process is stopped. Attach injects nothing and installs no filter. late are the threads that did
// not stop in time and may be inside a call. An error is worded for the command line; the process is then left as it
// was.
func (t *Tracer) Attach(pid int, follow bool) (late []int, err error) {
	st, err := leaderStatus(pid)
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return nil, fmt.Errorf("attach %d: %w: raise the limit (ulimit -n)", pid, errors.Unwrap(err))
	}
	if err != nil {
		return nil, fmt.Errorf("attach %d: no such process: check the pid (in a container, the host's numbers differ)", pid)
	}
	if err := st.attachable(pid); err != nil {
		return nil, err
	}
	options := uintptr(attachOptions)
	if follow {
		options |= followOptions
	}
	t.follow = follow
	t.attaching, t.parking = true, true
	defer func() { t.attaching, t.parking = false, false }()
	for ok := false; !ok; ok = !t.replaced(pid) {
		if err := t.seizeAll(pid, options); err != nil {
			t.detachAll()
			return nil, err
		}
		if err := t.stopAll(); err != nil {
			return nil, err
		}
	}
	for _, th := range t.threads {
		t.protect(th)
	}
	if err := t.stopAll(); err != nil { // a signal may have come first
		return nil, err
	}
	for _, th := range t.threads {
		if th.born {
			continue
		}
		t.begin(th)
		th.options = options
		if th.state == running {
			late = append(late, th.TID)
		} else {
			th.setOptions()
		}
		t.ready = append(t.ready, Stop{Kind: Started, Thread: th})
		if th.again {
			t.ready = append(t.ready, Stop{Kind: Exiting, Thread: th})
		}
	}
	if len(t.ready) == 0 {
		return nil, fmt.Errorf("attach %d: no such process: it ended just now", pid)
	}
	return late, nil
}

// attachable returns why no tracer at all can attach to a task with this status.
func (st *status) attachable(pid int) error {
	switch {
	case st.tgid == 0: // being reaped
		return fmt.Errorf("attach %d: no such process: it ended just now", pid)
	case st.kernel:
		return fmt.Errorf("attach %d: %s is a kernel thread: it has no address space of its own", pid, st.name)
	case pid == os.Getpid():
		return fmt.Errorf("attach %d: that is vmblame itself", pid)
	case st.tgid != pid:
		return fmt.Errorf("attach %d: that is a thread of process %d: attach to %d, all its threads are followed", pid, st.tgid, st.tgid)
	}
	return nil
}

// stopAll interrupts the threads and collects their first stops, within a bound.
func (t *Tracer) stopAll() error {
	t.interruptAll()
	within, done := t.bound(stopBound)
	defer done()
	for !t.allStopped() && within() {
		if len(t.queue) == 0 {
			if err := t.collect(); err != nil {
				return err
			}
		}
		for len(t.queue) > 0 {
			w := t.queue[0]
			t.queue = t.queue[1:]
			if !t.handle(w) {
				continue
			}
			// A stop during Attach is handed out as Started, unless Started is queued already because the thread's
			// process was attached to earlier.
			s := t.stop
			s.Thread.again = s.Thread.again || s.Kind == Exiting
			if s.Thread.born && (s.Kind == Exiting || s.Kind == Gone || s.Kind == Execed) {
				s.Thread.again = s.Kind != Gone
				t.ready = append(t.ready, s)
			}
		}
	}
	return nil
}

// bound returns a function that reports whether d has not passed yet, and one that must be called at the end. Other
// calls of Wake meanwhile are kept for Next.
func (t *Tracer) bound(d time.Duration) (within func() bool, done func() bool) {
	end := time.Now().Add(d)
	timer := time.AfterFunc(d, t.Wake)
	return func() bool { return time.Now().Before(end) }, timer.Stop
}

func (t *Tracer) allStopped() bool {
	for _, th := range t.threads {
		if th.state != stopped {
			return false
		}
	}
	return true
}

// Quiesce asks all threads to stop and keeps them stopped: Next goes on to hand out stops, Resume does nothing, and a
// Stop of kind Quiet comes when all are stopped. A call that was handed out at its entry is still resumed and its
// return handed out, so that none is under way when all is quiet. No thread is left at the entry of another call
// either: PTRACE_INTERRUPT has marked it as having a signal pending, and if detached there it would return EINTR at
// once, which nothing would repair.
func (t *Tracer) Quiesce() {
	t.parking = true
	t.interruptAll()
}

const (
	// oneStop and allStops bound how long interruptAll waits for one thread and for all together. One that waits for a
	// processor takes longer; one in a call that cannot be interrupted does not stop at all.
	oneStop  = 10 * time.Millisecond
	allStops = 250 * time.Millisecond
)

// interruptAll interrupts the threads one after the other, and waits for the stop of each to repair what that did to its
// call: if we are killed meanwhile, no more than one call returns EINTR.
func (t *Tracer) interruptAll() {
	end := time.Now().Add(allStops)
	for _, th := range t.threads {
		if th.state == stopped || th.interrupted {
			continue
		}
		th.interrupt()
		for until := time.Now().Add(oneStop); until.Before(end); {
			if status, ok := waitFor(th.TID); ok {
				if classify(status) == trapStop && !th.grouped {
					th.cureEINTR()
				}
				t.queue = append(t.queue, wait{th.TID, status})
				break
			}
			if time.Now().After(until) {
				break
			}
			_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
		}
	}
}

func (th *Thread) interrupt() {
	th.interrupted = true
	ptrace(unix.PTRACE_INTERRUPT, th.TID, 0, 0)
}

// Detach detaches all threads, each with the signal it was about to get. Threads that do not stop within the bound
// are detached by the kernel when we exit. It returns how many those are.
func (t *Tracer) Detach() int {
	t.Quiesce()
	t.detachAll()
	return len(t.threads)
}

func (t *Tracer) detachAll() {
	t.parking = true
	t.ready = nil
	t.disable()
	hold := time.Now().Add(holdBound)
	t.letGo(hold)
	within, done := t.bound(stopBound)
	defer func() { done() }()
	for end := time.Now().Add(movingBound); len(t.threads)+len(t.newborn) > 0; {
		if !within() {
			if !t.Moving() || time.Now().After(end) {
				break
			}
			done()
			within, done = t.bound(lookAgain)
		}
		if len(t.queue) == 0 && t.collect() != nil {
			break
		}
		for len(t.queue) > 0 {
			w := t.queue[0]
			t.queue = t.queue[1:]
			t.leave(w)
		}
		t.letGo(hold)
	}
	t.kept = nil
	for _, th := range t.threads { // a thread that is left may get a signal of ours yet: its process keeps ignoring it
		if th.state == stopped {
			t.let(th)
		}
	}
	clear(t.armed.shields)
}

const (
	// movingBound is how long Detach waits for threads that only need a processor, and lookAgain how often it sees whether
	// they do. For the first of it, holdBound, the others of their process stand still, and one of them to the end.
	movingBound = 10 * time.Second
	holdBound   = time.Second
	lookAgain   = 50 * time.Millisecond
)

// Moving reports whether a thread that has not stopped yet runs, waits for a processor, or stands at a stop that has not
// been read: it will stop soon.
func (t *Tracer) Moving() bool {
	for _, th := range t.threads {
		if th.moving() {
			return true
		}
	}
	return false
}

func (th *Thread) moving() bool {
	if th.state != running {
		return false
	}
	state := State(th.TID)
	return state == 'R' || state == 't'
}

// leave handles a stop of a thread that will be detached.
func (t *Tracer) leave(w wait) {
	th := t.threads[w.tid]
	if w.status.Exited() || w.status.Signaled() {
		delete(t.newborn, w.tid)
		if th != nil {
			t.remove(th)
		}
		return
	}
	if th == nil && classify(w.status) == execStop { // of another thread of its process: the leader has been let go
		th = &Thread{TID: w.tid, TGID: w.tid}
		t.add(th)
	}
	if th == nil {
		t.bear(w)
		return
	}
	why := th.arrive(w.status)
	t.shedded(th, why)
	switch why {
	case syscallStop:
		var info syscallInfo
		if ptraceSyscallInfo(th.TID, &info) == 0 && info.op == syscallInfoEntry {
			th.state = running
			th.interrupt() // see Quiesce
			ptrace(unix.PTRACE_SYSCALL, th.TID, 0, 0)
		}
	case cloneStop:
		msg, e := ptraceEventMessage(th.TID)
		if e != 0 || t.newborn[int(msg)] != nil || t.threads[int(msg)] != nil {
			break
		}
		if st, err := readStatus(int(msg)); err == nil && st.tracer == t.tid { // else it has been let go, or has ended
			t.expect(&Thread{TID: int(msg), TGID: groupOf(int(msg), th.TGID)}, th.TGID)
		}
	case execStop:
		if th, _ := t.renamed(th); th != nil {
			t.execShield(th.TGID)
		}
	}
}

// letGo detaches the stopped threads. A process that still ignores SIGTRAP because of us gets its action back first, from the last thread that
// stops: one that were let go before that could execute another program, which would inherit it, and end all threads that could help.
// Until hold that waits for those that will stop soon.
func (t *Tracer) letGo(hold time.Time) {
	for tid, child := range t.newborn {
		delete(t.newborn, tid)
		maker := child.TGID
		child.TGID = groupOf(tid, maker)
		t.expect(child, maker)
	}
	busy := make(map[int]bool)  // groups of which a thread has not stopped
	waits := make(map[int]bool) // those of which one will soon
	holds := time.Now().Before(hold)
	for _, th := range t.threads {
		if th.state != stopped || t.shed(th) {
			busy[th.TGID] = true
			if holds && !waits[th.TGID] && t.shielded(th) && th.moving() {
				waits[th.TGID] = true
			}
		}
	}
	for _, th := range t.threads {
		if th.state != stopped {
			continue
		}
		if busy[th.TGID] {
			if waits[th.TGID] || t.keep(th) {
				continue
			}
		} else if t.unshield(th); th.state != stopped {
			continue
		}
		t.let(th)
	}
}

// expect adds a thread that maker's group has created while threads are let go.
func (t *Tracer) expect(child *Thread, maker int) {
	t.inheritShield(child.TGID, maker)
	t.add(child)
}

// let detaches a stopped thread.
func (t *Tracer) let(th *Thread) {
	th.uncover()
	ptrace(unix.PTRACE_DETACH, th.TID, 0, uintptr(th.toDeliver))
	t.remove(th)
}

// keep reports whether a stopped thread is to stay so: it will give its process the action of SIGTRAP back, once no
// other thread may be on its way to a stop of ours.
func (t *Tracer) keep(th *Thread) bool {
	s := t.armed.shields[th.TGID]
	if s == nil || !s.on {
		return false
	}
	if t.kept == nil {
		t.kept = make(map[int]*Thread)
	}
	if k := t.kept[th.TGID]; k == nil || t.threads[k.TID] != k || k.state != stopped {
		if !th.injectable() {
			return false
		}
		t.kept[th.TGID] = th
	}
	return t.kept[th.TGID] == th
}

// Drop implements Source. Under a filter the thread remains a tracee, ignored with all its children: without a tracer
// its mapping calls would fail.
func (t *Tracer) Drop(th *Thread) {
	th.Data = nil
	if t.filter {
		th.Ignore = true
		t.Resume(th)
		return
	}
	if th.state == stopped { // at its first stop, or at that of an exec
		t.unshield(th)
		if th.event != nil {
			_ = th.event.control(unix.PERF_EVENT_IOC_DISABLE)
		}
		if th.advice != nil {
			_ = th.advice.control(unix.PERF_EVENT_IOC_DISABLE)
		}
		ptrace(unix.PTRACE_DETACH, th.TID, 0, uintptr(th.toDeliver))
		t.remove(th)
	}
}

// Abdicate lets all tracees go on without handing out their stops: they are detached if they can live without a
// tracer. With the filter they cannot, and it returns when they have ended.
func (t *Tracer) Abdicate(gone func(*Stop)) {
	if !t.filter {
		t.Detach()
		return
	}
	t.parking, t.ready = false, nil
	for _, th := range t.threads {
		th.Ignore = true
		t.Resume(th)
	}
	for {
		s, err := t.Next()
		if err != nil {
			return
		}
		if s.Kind == Gone {
			gone(s)
		}
		if s.Thread != nil && s.Kind != Gone && s.Kind != GroupStopped {
			s.Thread.Ignore = true
			t.Resume(s.Thread)
		}
	}
}
