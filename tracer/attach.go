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
// was, and what was attached to before may be let go.
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
	if t.probing {
		options |= unix.PTRACE_O_EXITKILL
	}
	t.follow = follow
	t.attaching, t.parking = true, true
	defer func() { t.attaching, t.parking = false, false }()
	for ok := false; !ok; ok = !t.replaced(pid) {
		if err := t.seizeAll(pid, options); err != nil {
			if t.groups[pid] != 0 { // else what was attached to before stays so
				t.detachAll()
			}
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

// allStopped reports whether every tracee has stopped.
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
