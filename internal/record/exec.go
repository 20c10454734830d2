package record

import (
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
)

// beforeExec does at the entry of execve what needs the old image, which is gone afterwards.
func (r *Recorder) beforeExec(t *task, f *pending) {
	sp := t.space
	for i, a := range f.call.Syscall.Args {
		if a.Kind == tracer.Text {
			f.text, _ = t.thread.ReadString(f.call.Args[i], 4096)
		}
	}
	r.stacks.walk(f)
	if r.opts.Verify != VerifyOff && sp.gate.Quiet() && !sp.ended {
		sp.proven = r.verify(sp, "")
	}
	r.names.LookAtPerfMap(sp.id, sp.TID(), sp.pid)
	if sp.users == 1 {
		f.snapshot = r.snapshot(sp, "exec")
	}
}

// execed handles the Execed stop, at the first instruction of a new image.
func (r *Recorder) execed(s *tracer.Stop) {
	th, former := s.Thread, s.Former
	t := r.tasks[former]
	if t == nil {
		t = r.newTask(th)
	}
	delete(r.tasks, former)
	r.leaveOthers(th, t)
	t.thread = th
	th.Data = t
	r.tasks[th.TID] = t
	if t.space != nil && r.backend.stamps() {
		r.backlog.execed(t, s)
	}
	if t.pending.Active() {
		r.done(t.space, &t.pending)
	}
	number := r.execEvent(t, former)
	if former != th.TID {
		r.threadGone(t, former, nil) // after the execve, which is this thread's event
	}
	old := t.space
	if old != nil {
		old.users--
		r.endSpace(old)
	}
	t.pid = th.TGID
	t.name = tracer.Identify(th.TID).Name
	if r.opts.NoFollow && !r.chosen[t.pid] {
		r.threadGone(t, th.TID, nil) // a vfork child: it leaves the space, and is no longer followed
		delete(r.tasks, th.TID)
		r.source.Drop(th)
		return
	}
	r.newImage(t, old, number)
	r.source.Resume(th)
}

// leaveOthers takes the other threads of the group out of their space. They are dead; their exit statuses may or may
// not still come.
func (r *Recorder) leaveOthers(th *tracer.Thread, t *task) {
	for tid, other := range r.tasks {
		if other.pid != th.TGID || other == t {
			continue
		}
		r.leave(other)
		delete(r.tasks, tid)
		if other.thread != th {
			other.thread.Data = nil
		}
		other.thread = th
		r.threadGone(other, tid, nil)
	}
}

// execEvent writes the execve that has made a new image, with the last snapshot of the old one before it, and returns
// its number; 0 if its entry was not seen. former is the tid that called it.
func (r *Recorder) execEvent(t *task, former int) uint64 {
	old, f := t.space, &t.pending
	if old == nil || f.call.Syscall == nil || f.call.Op.Kind != vm.OpExec {
		return 0
	}
	if s := f.snapshot; s != nil {
		s.After = old.events.Last()
		r.out.queue.Put(s)
	}
	b := r.out.begin(f)
	b.TID = former
	number := b.Number()
	r.out.finish(f, b, 0, 0, nil)
	r.out.queue.PutEvent(b)
	f.call.Syscall = nil // it is no longer in the call
	return number
}

// newImage makes the space of a new image. number is the event of the execve that left the space old.
func (r *Recorder) newImage(t *task, old *space, number uint64) {
	origin, cause, what, parent := ledger.Origin{Cause: ledger.Kernel, Exec: number}, "exec", "exec", old
	switch {
	case number != 0:
	case r.mainPID != 0:
		cause, what = "launch", "start"
	default: // the call had begun before we attached
		origin, cause, parent = ledger.Origin{Cause: ledger.BeforeAttach}, "attach", nil
		if old == nil {
			what = "start"
		}
	}
	r.newSpace(t, origin, cause, parent, number)
	t.space.mm.SetBreak(procfs.StartBreak(t.thread.TID)) // the break at the first instruction
	r.out.threadLine(t, what)
	r.backend.notePrivileges(t.thread, r.out)
	r.leaks.look(t.pid)
}

// threadGone writes the end of a thread known under tid; exit is how its process ended with it, nil for not.
func (r *Recorder) threadGone(t *task, tid int, exit *eventlog.Exit) {
	if t.space == nil || t.space.id == 0 {
		return
	}
	line := &eventlog.Thread{TID: tid, PID: t.pid, Space: t.space.id, What: "exit", Name: t.name, NsTID: t.nsTID, Exit: exit}
	r.backlog.behindCalls(t, func() {
		line.T = r.out.now()
		r.out.queue.Put(line)
	})
}
