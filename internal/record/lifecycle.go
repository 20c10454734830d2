package record

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/mm"
	"github.com/vmblame/vmblame/internal/order"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
	"github.com/vmblame/vmblame/unwind"
)

// inheritance is what a task gets from the one that made it, kept until its first stop.
type inheritance struct {
	forked *space // a space of its own, not yet announced
	parent *space
	after  uint64
	readImpliesExec,
	ignore bool
}

// cloned handles a task that has just made another.
func (r *Recorder) cloned(t *task, child int, c *tracer.Call) {
	sp := t.space
	inherited := &inheritance{parent: sp, after: sp.events.Last(), readImpliesExec: t.readImpliesExec}
	shares, known := sameMM(t.thread.TID, child)
	if !known {
		shares = c == nil || c.Op.CloneFlags&vm.CloneVM != 0
	}
	if shares {
		sp.users++
	} else {
		r.drift(sp, sp.mm.NoticeGrowth())
		inherited.after = sp.events.Last()
		inherited.forked = &space{mm: sp.mm.Fork()}
		inherited.ignore = r.opts.NoFollow
		if !inherited.ignore {
			// Now, and not at the child's first stop: its line stands before the parent's next events.
			r.beginFork(child, inherited)
		}
	}
	r.expected[child] = inherited
	if !r.stampsOrder() {
		r.done(sp, &t.pending)
	}
	r.source.Resume(t.thread)
}

// started handles the first stop of a task.
func (r *Recorder) started(th *tracer.Thread) {
	if f := r.backlog.forks[th.TID]; f != nil {
		f.started = th // it is introduced when its maker's fork has its place
		return
	}
	inherited := r.expected[th.TID]
	delete(r.expected, th.TID)
	switch {
	case inherited == nil:
		r.found(th)
		return
	case inherited.ignore:
		r.source.Drop(th)
		return
	}
	r.introduce(th, inherited)
	r.source.Resume(th)
}

// introduce makes a task of a thread that was announced.
func (r *Recorder) introduce(th *tracer.Thread, inherited *inheritance) *task {
	t := r.newTask(th)
	t.readImpliesExec = inherited.readImpliesExec
	t.space = inherited.parent
	if sp := inherited.forked; sp != nil {
		t.space = sp
	}
	r.threadLine(t, "start")
	return t
}

// exitedBeforeStart returns the task of a thread whose exit stop comes before any other: it was killed at once. It is
// nil for a thread that is not recorded.
func (r *Recorder) exitedBeforeStart(th *tracer.Thread) *task {
	inherited := r.expected[th.TID]
	if inherited == nil || inherited.ignore {
		return nil
	}
	delete(r.expected, th.TID)
	return r.introduce(th, inherited)
}

// sameMM reports whether two tasks share their address space (kcmp(2), KCMP_VM). known is false where the
// kernel does not tell.
func sameMM(a, b int) (same, known bool) {
	const kcmpVM = 1
	r, _, e := syscall.RawSyscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), kcmpVM, 0, 0, 0)
	return e == 0 && r == 0, e == 0
}

func readImpliesExec(tid int) bool { return procfs.Personality(tid)&vm.PersonaReadImpliesExec != 0 }

// newTask registers a thread.
func (r *Recorder) newTask(th *tracer.Thread) *task {
	id := tracer.Identify(th.TID)
	t := &task{thread: th, pid: th.TGID, name: id.Name}
	if id.NsTID != th.TID {
		t.nsTID = id.NsTID
	}
	th.Data = t
	r.tasks[th.TID] = t
	r.threads++
	return t
}

func (r *Recorder) threadLine(t *task, what string) {
	regs := t.thread.Regs()
	r.queue.Put(&eventlog.Thread{T: r.now(), TID: t.thread.TID, PID: t.pid, Space: t.space.id, What: what, Name: t.name,
		NsTID: t.nsTID, SP: eventlog.Hex(regs.Rsp), TLS: eventlog.Hex(regs.Fs_base)})
}

// beginFork announces the copy of an address space. The kernel leaves out what MADV_DONTFORK marks.
func (r *Recorder) beginFork(child int, from *inheritance) {
	sp := from.forked
	sp.users = 1
	sp.gate = order.NewGate(sp.mm, r.rules)
	sp.walker = from.parent.walker.Fork(code{r, sp})
	maps, err := procfs.OpenMaps(child)
	if err == nil {
		sp.maps = maps
		maps.Alive = func() int { return r.anyTask(sp) }
		r.touchedCode(sp, sp.mm.Attach(&view{maps: maps, space: sp}))
	} else {
		sp.ended = true // it was killed before it could begin
	}
	r.announce(sp, child, child, "fork", from.parent, from.after)
	r.forkedCode(sp)
}

// announce writes the line of a new space.
func (r *Recorder) announce(sp *space, tid, pid int, cause string, parent *space, after uint64) {
	r.spaces++
	sp.id, sp.pid = r.spaces, pid
	rec := &eventlog.Space{Space: sp.id, T: r.now(), After: after, PID: pid, Cause: cause,
		Exe: procfs.Exe(tid), Argv: procfs.Cmdline(tid), Mappings: r.encoder.mappings(sp.mm.Ledger())}
	if parent != nil {
		id := parent.id
		rec.Parent = &id
	}
	r.queue.Put(rec)
	if cause == "fork" {
		r.crosses(sp) // as its parent
		return
	}
	r.watchSize(sp)
}

// newSpace makes a space from what the kernel shows of a task that stands still.
func (r *Recorder) newSpace(t *task, o ledger.Origin) (*space, error) {
	maps, err := procfs.OpenMaps(t.thread.TID)
	if err != nil {
		return nil, err
	}
	sp := &space{maps: maps}
	sp.stamps.since = tracer.Clock()
	sp.mm, err = mm.Load(&view{maps: maps, space: sp}, r.hugePage, o)
	if err != nil {
		maps.Close()
		return nil, err
	}
	sp.gate = order.NewGate(sp.mm, r.rules)
	maps.Alive = func() int { return r.anyTask(sp) }
	sp.walker = unwind.NewSpace(code{r, sp})
	t.readImpliesExec = readImpliesExec(t.thread.TID)
	return sp, nil
}
