package tracer

import (
	"time"

	"golang.org/x/sys/unix"
)

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
	// movingBound is how long Detach waits for threads that only need a processor, and lookAgain how often it checks them.
	// For the first part of that, holdBound, the other threads of their process stay stopped; after that, only one of
	// these does.
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

// moving reports whether a thread that has not stopped yet will stop soon: it runs or waits for a processor (state R),
// or stands at a stop that has not been read (state t).
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

// letGo detaches the stopped threads. If a process ignores SIGTRAP because of us, the last of its threads to stop first
// gives it its former action back. Until then no thread of it is detached: that could execute another program, which
// would inherit the setting, and which ends the threads that could restore it. Until hold, letGo waits for threads that
// will stop soon.
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

// keep reports whether a stopped thread is to stay stopped: it will restore its process's action for SIGTRAP when no
// other thread can be on its way to one of our stops.
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
