package record

import (
	"errors"
	"fmt"
	"os"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/mm"
	"github.com/vmblame/vmblame/internal/order"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
	"github.com/vmblame/vmblame/unwind"
)

// beforeExec does at the entry of execve what cannot be done after it: the old image is then gone.
func (r *Recorder) beforeExec(t *task, f *pending) {
	sp := t.space
	for i, a := range f.call.Syscall.Args {
		if a.Kind == tracer.Text {
			f.text, _ = t.thread.ReadString(f.call.Args[i], 4096)
		}
	}
	r.walk(f)
	if r.opts.Verify != VerifyOff && sp.gate.Quiet() && !sp.ended {
		r.verify(sp, "")
		sp.proven = true
	}
	r.lookAtPerfMap(sp)
	if sp.users == 1 {
		f.snapshot = r.snapshot(sp, "exec")
	}
}

// execed handles a new image.
func (r *Recorder) execed(s *tracer.Stop) {
	th, former := s.Thread, s.Former
	t := r.tasks[former]
	if t == nil {
		t = r.newTask(th)
	}
	delete(r.tasks, former)
	old := t.space
	// The other threads of the group are gone; their exit statuses may or may not still come.
	for tid, other := range r.tasks {
		if other.pid == th.TGID && other != t {
			r.leave(other)
			delete(r.tasks, tid)
			if other.thread != th {
				other.thread.Data = nil
			}
			other.thread = th
			r.threadGone(other, tid)
		}
	}
	t.thread = th
	th.Data = t
	r.tasks[th.TID] = t
	f := &t.pending
	if old != nil && r.stampsOrder() {
		r.execedUnseen(t, f, s)
	}
	if f.Active() {
		r.done(old, f)
	}
	number := uint64(0)
	if old != nil && f.call.Syscall != nil && f.call.Op.Kind == vm.OpExec {
		if s := f.snapshot; s != nil {
			s.After = old.events.Last()
			r.queue.Put(s)
		}
		b := r.begin(f)
		number = b.Number()
		b.TID = former
		r.finish(f, b, 0, 0, nil)
		r.queue.PutEvent(b)
		f.call.Syscall = nil // it is inside no longer
	}
	if former != th.TID {
		r.threadGone(t, former) // behind the execve, which is its
	}
	if old != nil {
		old.users--
		r.endSpace(old)
	}
	t.pid = th.TGID
	id := tracer.Identify(th.TID)
	t.name = id.Name
	if r.opts.NoFollow && !r.chosen[t.pid] {
		r.threadGone(t, th.TID) // a vfork child: it leaves the space, and is followed no longer
		delete(r.tasks, th.TID)
		r.source.Drop(th)
		return
	}
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
	sp, err := r.newSpace(t, origin)
	if err != nil {
		sp = r.blindSpace(t, err)
	}
	sp.users = 1
	sp.mm.SetBreak(procfs.StartBreak(th.TID))
	t.space = sp
	r.announce(sp, th.TID, t.pid, cause, parent, number)
	r.threadLine(t, what)
	r.notePrivileges(th)
	r.source.Resume(th)
}

// blindSpace stands for a space whose maps cannot be read: the task was killed, or we may not.
func (r *Recorder) blindSpace(t *task, err error) *space {
	if !errors.Is(err, procfs.ErrGone) && !errors.Is(err, os.ErrNotExist) {
		r.note("warning", "unreadable-maps", fmt.Sprintf("%v: its ledger stays empty", err))
	}
	sp := &space{mm: mm.Blind(r.hugePage), ended: true}
	sp.gate = order.NewGate(sp.mm, r.rules)
	sp.walker = unwind.NewSpace(code{r, sp})
	return sp
}

// threadGone writes the end of a thread known under tid.
func (r *Recorder) threadGone(t *task, tid int) {
	if t.space == nil || t.space.id == 0 {
		return
	}
	line := &eventlog.Thread{T: r.now(), TID: tid, PID: t.pid, Space: t.space.id, What: "exit", Name: t.name, NsTID: t.nsTID}
	if queue := t.space.stamps.queue; len(queue) > 0 {
		r.enqueue(&pending{task: t, space: t.space, stamp: queue[len(queue)-1].stamp, line: line}) // behind its calls
		return
	}
	r.queue.Put(line)
}
