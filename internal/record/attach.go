package record

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/tracer"
)

// detachBound is how long to wait, when the recording is to end, until all threads are stopped at the same time, and
// detachMoving how long where those that are not only need a processor.
const detachBound, detachMoving = 500 * time.Millisecond, 2 * time.Second

// Attach records running processes until they end, until a signal, or until Options.Duration is over. It
// must be called on the process's first thread, to which the goroutine is locked.
func Attach(o Options) (out Outcome, err error) {
	if len(o.PIDs) == 0 {
		return out, errNoPID
	}
	r := newRecorder(o)
	defer r.rescue(&err)
	if err := ownProc(); err != nil {
		return out, &Error{Failed, fmt.Sprintf("attach %d: %v", o.PIDs[0], err)}
	}
	for _, pid := range o.PIDs {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return out, &Error{Failed, fmt.Sprintf("attach %d: no such process: check the pid (in a container, the host's numbers differ)", pid)}
		} else if _, gone := os.Stat(fmt.Sprintf("/proc/%d", pid)); errors.Is(gone, os.ErrNotExist) && syscall.Kill(pid, 0) != syscall.ESRCH {
			return out, &Error{Failed, fmt.Sprintf("attach %d: permission denied: /proc hides the processes of others (it is mounted with hidepid): run vmblame as root, or as that user", pid)}
		}
		r.chosen[pid] = true
	}
	if err := r.backend.choose(&r.opts); err != nil {
		return out, err
	}
	price := ""
	if o.Warn != nil {
		price = r.backend.price()
	}
	sinks, err := o.Open(o.PIDs[0])
	if err != nil {
		return out, err
	}
	r.signals.catchForAttach()
	command := procfs.Cmdline(o.PIDs[0])
	r.around = surroundingsOf(o.PIDs[0])
	header := newHeader(o.Tool, "attach", r.out.start, command, procfs.Environ(o.PIDs[0]), procfs.Exe(o.PIDs[0]), o.PIDs[0], mapped(o.PIDs[0]))
	r.backend.describe(header, &r.opts)
	for _, s := range sinks {
		if err := s.Put(header); err != nil { // nothing has been touched yet
			closeSinks(sinks)
			return out, &Error{Failed, fmt.Sprintf("attach %d: %v", o.PIDs[0], err)}
		}
	}
	var late []int
	for _, pid := range o.PIDs {
		l, err := r.tracer.Attach(pid, true)
		if err != nil {
			r.tracer.Detach()
			closeSinks(sinks)
			return out, &Error{Failed, err.Error()}
		}
		late = append(late, l...)
	}
	l, err := r.attachSharing()
	if err != nil {
		closeSinks(sinks)
		return out, &Error{Failed, fmt.Sprintf("attach %d: a process that shares its address space: %v", o.PIDs[0], err)}
	}
	late = append(late, l...)
	r.backend.sayAttached(o.PIDs, price, r.out)
	if o.Duration > 0 {
		timer := time.AfterFunc(o.Duration, func() { r.wake.ask(func() { r.end("duration") }) })
		defer timer.Stop()
	}
	return r.run(sinks, func() error {
		for _, tid := range late {
			r.out.note("info", "late-thread", fmt.Sprintf("thread %d did not stop at once: a call it was inside may show as drift", tid))
		}
		defer r.watchRegularly()()
		err := r.loop()
		if r.ending == "" {
			r.ending = "exit"
			r.backend.noteUnadvised(r.out)
			r.looks.await()
			return err
		}
		r.looks.take()
		r.letGo()
		r.looks.await()
		return err
	})
}

// attachSharing attaches to the other processes that share an address space with those attached to (clone(2) with
// CLONE_VM), since their calls change the same mappings. All attached threads are stopped; the other processes may
// create further threads meanwhile.
func (r *Recorder) attachSharing() (late []int, err error) {
	with := slices.Clone(r.opts.PIDs)
	for found := true; found; {
		found = false
		for _, pid := range procfs.Processes() {
			shares := func(other int) bool { same, _ := sameMM(other, pid); return same }
			if slices.Contains(with, pid) || !slices.ContainsFunc(with, shares) {
				continue
			}
			// One that was killed has none any more, and so is like kernel threads and zombies.
			if size, _ := procfs.Statm(pid); size == 0 {
				continue
			}
			l, err := r.tracer.Attach(pid, true)
			switch {
			case err == nil:
				with, late, found = append(with, pid), append(late, l...), true
			case procfs.Exiting(pid) && r.tracer.Threads() > 0: // it has ended
			default:
				r.tracer.Detach()
				return nil, err
			}
		}
	}
	return late, nil
}

// letGo detaches all threads, which are stopped, after a last comparison of their address spaces.
func (r *Recorder) letGo() {
	r.finalLook()
	r.backend.note(r.out)
	r.backend.noteUnadvised(r.out)
	r.out.incomplete(r.tracer.Unaccounted(), "the kernel has counted more calls than it has told of")
	if left := r.tracer.Detach(); left > 0 {
		r.out.note("info", "late-thread", fmt.Sprintf("%d threads did not stop to be detached: the kernel releases them when vmblame ends, and with sigtrap SIGTRAP stays ignored", left))
	}
}

// found handles the first stop of a task that no Cloned stop has announced: one that existed at Attach, or one whose
// creator was killed before it could report it.
func (r *Recorder) found(th *tracer.Thread) {
	t := r.newTask(th)
	for _, other := range r.tasks {
		if other == t || other.space == nil {
			continue
		}
		same := other.pid == t.pid // also where the space could not be read
		if !same && !other.space.ended {
			same, _ = sameMM(other.thread.TID, th.TID)
		}
		if same {
			t.space = other.space
			t.space.users++
			t.readImpliesExec = readImpliesExec(th.TID)
			r.out.threadLine(t, "start")
			r.source.Resume(th)
			return
		}
	}
	if r.opts.NoFollow && !r.chosen[t.pid] {
		delete(r.tasks, th.TID) // a child that was forked while its parent was being attached to
		r.source.Drop(th)
		return
	}
	r.newSpace(t, ledger.Origin{Cause: ledger.BeforeAttach}, "attach", nil, 0)
	r.out.threadLine(t, "start")
	r.looks.into(t.space)
	r.leaks.look(t.pid)
	r.source.Resume(th)
}

// end asks for the end of an attached recording: all threads are stopped together for a last look.
func (r *Recorder) end(cause string) {
	if r.ending != "" {
		return
	}
	r.ending = cause
	r.endBy = time.Now().Add(detachBound)
	r.tracer.Quiesce()
	time.AfterFunc(detachBound, r.tracer.Wake)
}

// waitedEnough reports whether the wait for all threads to stop has timed out.
func (r *Recorder) waitedEnough() bool {
	over := time.Since(r.endBy)
	if over < 0 {
		return false
	}
	if over < detachMoving-detachBound && r.tracer.Moving() {
		r.wake.in(50 * time.Millisecond)
		return false
	}
	return true
}

// finalLook compares all ledgers with the kernel's view before the threads are detached.
func (r *Recorder) finalLook() {
	seen := make(map[*space]bool)
	for _, t := range r.tasks {
		sp := t.space
		if sp == nil || sp.ended || seen[sp] {
			continue
		}
		seen[sp] = true
		r.current = t
		r.breakOff(sp)
		r.lastLook(sp, "detach")
	}
}

// breakOff gives up the calls of a space that did not return within the bound. Those that were held at their entry
// have not begun.
func (r *Recorder) breakOff(sp *space) {
	for _, c := range sp.gate.Abandon() {
		c.Owner.(*pending).call.Syscall = nil
	}
	for c := sp.gate.InFlight(); c != nil; c = sp.gate.InFlight() {
		sp.mm.MarkUncertain()
		r.cancel(c.Owner.(*pending))
	}
}

// closer is a sink that has something to give back.
type closer interface{ Close() error }

func closeSinks(sinks []eventlog.Sink) {
	for _, s := range sinks {
		if c, ok := s.(closer); ok {
			_ = c.Close()
		}
	}
}
