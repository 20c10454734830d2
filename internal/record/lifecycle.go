package record

import (
	"errors"
	"fmt"
	"os"
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

// inheritance is what a new task gets from its creator, kept until its first stop.
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
		r.out.drift(sp, sp.mm.NoticeGrowth(), sp.events.Last())
		inherited.after = sp.events.Last()
		inherited.ignore = r.opts.NoFollow
		if inherited.ignore {
			inherited.forked = &space{} // whatever it is, it is not the parent's
		} else {
			// It is announced now, not at the child's first stop: its line must come before the parent's next events.
			inherited.forked = r.fork(child, sp)
		}
	}
	r.expected[child] = inherited
	if !r.backend.stamps() {
		r.done(sp, &t.pending)
	}
	r.source.Resume(t.thread)
}

// started handles the first stop of a task.
func (r *Recorder) started(th *tracer.Thread) {
	if f := r.backlog.forks[th.TID]; f != nil {
		f.started = th // it is introduced when its creator's fork has its place in the order
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
	r.out.threadLine(t, "start")
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

// readImpliesExec reports whether a thread has READ_IMPLIES_EXEC set (personality(2)).
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
	return t
}

// fork makes and announces the copy of an address space. The kernel leaves out what MADV_DONTFORK marks.
func (r *Recorder) fork(child int, parent *space) *space {
	maps, err := procfs.OpenMaps(child)
	sp := r.space(parent.mm.Fork(), maps)
	sp.users = 1
	sp.walker = parent.walker.Fork(r.modules.Code(sp))
	if err == nil {
		sp.touchedCode(sp.mm.Attach(&view{maps: maps, space: sp}))
		r.maps.opened(maps)
	} else {
		sp.ended = true // it was killed before it could begin, or we may not look
		r.unverified(child, unreadable)
	}
	r.announce(sp, child, child, "fork", parent, parent.events.Last())
	sp.forgetCode()
	return sp
}

// argvBytes limits how much of a program's arguments is logged: those of a linker or of xargs take a megabyte.
const argvBytes = 4096

// unreadable is the note for a space whose mappings could not be read, so that its ledger was never verified.
const unreadable = "its mappings could not be read, and its ledger not be compared with them"

// announce writes the line of a new space.
func (r *Recorder) announce(sp *space, tid, pid int, cause string, parent *space, after uint64) {
	r.spaces++
	sp.id, sp.pid = r.spaces, pid
	argv, argc := procfs.ShortCmdline(tid, argvBytes)
	rec := &eventlog.Space{Space: sp.id, T: r.out.now(), After: after, PID: pid, Cause: cause,
		Exe: procfs.Exe(tid), Argv: argv, Argc: argc, Mappings: r.out.encoder.mappings(sp.Ledger())}
	if parent != nil {
		id := parent.id
		rec.Parent = &id
		sp.environment = parent.environment
	}
	if cause != "fork" {
		if now := beganWith(tid, r.listed); !sameEnvironment(now, sp.environment) {
			sp.environment, rec.Environment = now, now
		}
	}
	r.out.queue.Put(rec)
	if cause == "fork" {
		sp.crosses(r.opts.Bound) // as its parent
		return
	}
	r.watchSize(sp)
}

// space returns a space that nobody uses yet. maps is nil where it cannot be read.
func (r *Recorder) space(state *mm.Space, maps *procfs.Maps) *space {
	sp := &space{mm: state, maps: maps, gate: order.NewGate(state, r.rules), live: r.live}
	if maps != nil {
		maps.Alive = sp.TID
	}
	return sp
}

// live returns a task that uses a space and whose memory can be read, nil where none is left.
func (r *Recorder) live(sp *space) *task {
	if r.current != nil && r.current.space == sp {
		return r.current
	}
	for _, t := range r.tasks {
		if t.space == sp && !t.exiting {
			return t
		}
	}
	return nil
}

// newSpace makes and announces the space of a stopped task that shares it with no other. All mappings get origin o.
// If the maps cannot be read, because the task was killed or we lack permission, the ledger stays empty.
func (r *Recorder) newSpace(t *task, o ledger.Origin, cause string, parent *space, after uint64) {
	tid := t.thread.TID
	maps, err := procfs.OpenMaps(tid)
	var state *mm.Space
	v, since := &view{maps: maps}, tracer.Clock()
	if err == nil {
		if state, err = mm.Load(v, r.hugePage, o); err != nil {
			maps.Close()
		}
	}
	if err != nil {
		if !errors.Is(err, procfs.ErrGone) && !errors.Is(err, os.ErrNotExist) {
			r.out.note("warning", "unreadable-maps", fmt.Sprintf("%v: its ledger stays empty", err))
		}
		r.unverified(t.pid, unreadable)
		state, maps = mm.Blind(r.hugePage), nil
	} else {
		t.readImpliesExec = readImpliesExec(tid)
	}
	sp := r.space(state, maps)
	v.space, sp.stamps.since = sp, since
	sp.walker = unwind.NewSpace(r.modules.Code(sp))
	sp.ended = err != nil
	sp.users = 1
	t.space = sp
	if maps != nil {
		r.maps.opened(maps)
	}
	r.announce(sp, tid, t.pid, cause, parent, after)
}
