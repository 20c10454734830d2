package record

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
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
	inherited := &inheritance{parent: sp, after: sp.lastEvent, readImpliesExec: t.readImpliesExec}
	shares, known := sameMM(t.thread.TID, child)
	if !known {
		shares = c == nil || c.Op.CloneFlags&vm.CloneVM != 0
	}
	if shares {
		sp.users++
	} else {
		r.noticeGrowth(sp)
		inherited.after = sp.lastEvent
		inherited.forked = &space{ledger: sp.ledger.Clone(), brk: sp.brk, growing: append([]growing(nil), sp.growing...)}
		// Not announced yet: it is the child's own calls and the log that wait for its first stop.
		inherited.forked.walker = sp.walker
		inherited.ignore = r.opts.NoFollow
	}
	r.expected[child] = inherited
	r.done(sp, &t.flight)
	r.source.Resume(t.thread)
}

// started handles the first stop of a task.
func (r *Recorder) started(th *tracer.Thread) {
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
	t := r.newTask(th)
	t.readImpliesExec = inherited.readImpliesExec
	t.space = inherited.parent
	if sp := inherited.forked; sp != nil {
		t.space = sp
		sp.users = 1
		r.beginFork(t, inherited)
	}
	r.threadLine(t, "start")
	r.source.Resume(th)
}

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
	r.box.put(&eventlog.Thread{T: r.now(), TID: t.thread.TID, PID: t.pid, Space: t.space.id, What: what, Name: t.name,
		NsTID: t.nsTID, SP: eventlog.Hex(regs.Rsp), TLS: eventlog.Hex(regs.Fs_base)}, nil)
}

// beginFork announces the copy of an address space. The kernel leaves out what MADV_DONTFORK marks.
func (r *Recorder) beginFork(t *task, from *inheritance) {
	sp := t.space
	sp.walker = from.parent.walker.Fork(code{r, sp})
	sp.lastEvent = 0
	view, err := openKernelView(t.thread.TID)
	if err == nil {
		sp.view = view
		view.alive = func() int { return r.anyTask(sp) }
		if rows, err := view.all(); err == nil && sp.ledger.Differs(rows) {
			r.changes = sp.ledger.Reconcile(everything, rows, ledger.Origin{Cause: ledger.Drift}, r.changes[:0])
			r.touchedCode(sp, r.changes)
		}
	} else {
		sp.ended = true // it was killed before it could begin
	}
	r.announce(sp, t, "fork", from.parent, from.after)
}

var everything = vm.Range{Start: 0, End: vm.AddressMax}

// announce writes the line of a new space.
func (r *Recorder) announce(sp *space, t *task, cause string, parent *space, after uint64) {
	r.spaces++
	sp.id, sp.pid = r.spaces, t.pid
	rec := &eventlog.Space{Space: sp.id, T: r.now(), After: after, PID: t.pid, Cause: cause,
		Exe: exeOf(t.thread.TID), Argv: argvOf(t.thread.TID), Mappings: r.words.mappings(sp.ledger)}
	if parent != nil {
		id := parent.id
		rec.Parent = &id
	}
	r.box.put(rec, nil)
}

func exeOf(tid int) string {
	s, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", tid))
	return strings.TrimSuffix(s, " (deleted)")
}

func argvOf(tid int) []string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", tid))
	s := strings.TrimSuffix(string(text), "\x00")
	if s == "" {
		return []string{}
	}
	return strings.Split(s, "\x00")
}

// newSpace makes a space from what the kernel shows of a task that stands still.
func (r *Recorder) newSpace(t *task, o ledger.Origin) (*space, error) {
	view, err := openKernelView(t.thread.TID)
	if err != nil {
		return nil, err
	}
	rows, err := view.all()
	if err != nil {
		view.close()
		return nil, err
	}
	sp := &space{ledger: ledger.New(), view: view}
	view.alive = func() int { return r.anyTask(sp) }
	sp.ledger.Load(rows, func(vm.Mapping) ledger.Origin { return o })
	for _, row := range rows {
		if row.File.Path == "[stack]" {
			sp.growing = append(sp.growing, growing{top: row.End - 1, main: true})
		}
	}
	sp.walker = unwind.NewSpace(code{r, sp})
	t.readImpliesExec = readImpliesExec(t.thread.TID)
	return sp, nil
}

// beforeExec does at the entry of execve what cannot be done after it: the old image is then gone.
func (r *Recorder) beforeExec(t *task, f *flight) {
	sp := t.space
	for i, a := range f.call.Syscall.Args {
		if a.Kind == tracer.Text {
			f.text, _ = t.thread.ReadString(f.call.Args[i], 4096)
		}
	}
	r.walk(f)
	if r.opts.Verify != VerifyOff && sp.quiet() && !sp.ended {
		r.verify(sp, "unknown")
		sp.proven = true
	}
	if sp.users == 1 {
		f.snapshot = r.snapshot(sp, "exec")
	}
}

// execed handles a new image.
func (r *Recorder) execed(th *tracer.Thread, former int) {
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
	if former != th.TID {
		t.thread = th
		r.threadGone(t, former)
	}
	th.Data = t
	r.tasks[th.TID] = t
	f := &t.flight
	if f.active {
		r.released(old, f)
	}
	number := uint64(0)
	if old != nil && f.call.Syscall != nil && f.call.Op.Kind == vm.OpExec {
		if s := f.snapshot; s != nil {
			s.After = old.lastEvent
			r.box.put(s, nil)
		}
		number = r.number(old, f)
		b := r.begin(f, number)
		r.finish(f, b, 0, 0, nil)
		r.box.put(&b.Event, b)
	}
	if old != nil {
		old.users--
		r.endSpace(old)
	}
	t.pid = th.TGID
	id := tracer.Identify(th.TID)
	t.name = id.Name
	if r.opts.NoFollow && !r.chosen[t.pid] {
		delete(r.tasks, th.TID)
		r.source.Drop(th)
		return
	}
	sp, err := r.newSpace(t, ledger.Origin{Cause: ledger.Kernel, Exec: number})
	if err != nil {
		sp = r.blindSpace(t, err)
	}
	sp.users = 1
	sp.brk = startBrk(th.TID)
	t.space = sp
	cause := "exec"
	if old == nil {
		cause = "launch"
	}
	r.announce(sp, t, cause, old, number)
	what := "exec"
	if old == nil {
		what = "start"
	}
	r.threadLine(t, what)
	r.source.Resume(th)
}

// blindSpace stands for a space whose maps cannot be read: the task was killed, or we may not.
func (r *Recorder) blindSpace(t *task, err error) *space {
	if !errors.Is(err, errGone) && !errors.Is(err, os.ErrNotExist) {
		r.note("warning", "unreadable-maps", fmt.Sprintf("%v: its ledger stays empty", err))
	}
	sp := &space{ledger: ledger.New(), ended: true}
	sp.walker = unwind.NewSpace(code{r, sp})
	return sp
}

// threadGone writes the end of a thread known under tid.
func (r *Recorder) threadGone(t *task, tid int) {
	if t.space == nil || t.space.id == 0 {
		return
	}
	r.box.put(&eventlog.Thread{T: r.now(), TID: tid, PID: t.pid, Space: t.space.id, What: "exit", Name: t.name, NsTID: t.nsTID}, nil)
}

// exiting handles a thread at its exit stop: its address space can still be read.
func (r *Recorder) exiting(t *task, s *tracer.Stop) {
	f := &t.flight
	if s.Call != nil && f.call.Syscall == s.Call.Syscall {
		if s.NotExecuted {
			r.undo(f)
			r.cancel(f)
		} else if f.call.Op.Kind != vm.OpExec {
			r.returned(t, s.Result)
		}
	} else {
		r.cancel(f)
	}
	sp := t.space
	if name := tracer.Identify(t.thread.TID).Name; name != "" {
		t.name = name
	}
	t.exiting = true
	sp.exiting++
	if sp.exiting >= sp.users && !sp.ended {
		r.lastLook(sp, "exit")
	}
	r.source.Resume(t.thread)
}

// lastLook holds a space that is about to end, or to be let go, against the kernel's view, and writes its
// snapshot.
func (r *Recorder) lastLook(sp *space, cause string) {
	if r.opts.Verify != VerifyOff && sp.quiet() {
		r.verify(sp, "unknown")
		sp.proven = true
	}
	if s := r.snapshot(sp, cause); s != nil {
		r.box.put(s, nil)
	}
}

// cancel drops a call whose thread ends without telling its result.
func (r *Recorder) cancel(f *flight) {
	if f.task == nil {
		return
	}
	sp := f.task.space
	if f.settled != 0 && f.record != nil && r.stillThere(f) {
		r.undo(f)
	}
	if f.settled != 0 && f.record != nil {
		// It had been let go, so most likely the kernel has done it; what stands there the space's last
		// look tells.
		f.uncertain, sp.uncertain = true, true
		r.finishEarly(f, 0, 0, f.taken)
	}
	if f.active {
		r.released(sp, f)
	}
	f.call.Syscall = nil
}

// stillThere tells that the kernel shows what a call of unknown result was to remove: nobody else can have
// mapped it again meanwhile.
func (r *Recorder) stillThere(f *flight) bool {
	sp := f.task.space
	if sp.view == nil || len(f.taken) == 0 {
		return false
	}
	for _, c := range f.taken {
		rows, err := sp.view.in(c.Range)
		if err != nil {
			return false
		}
		next := c.Start
		for _, row := range rows {
			if row.Start > next || !c.Was.Agrees(row) {
				return false
			}
			next = row.End
		}
		if next < c.End {
			return false
		}
	}
	return true
}

// leave takes a task out of its space.
func (r *Recorder) leave(t *task) {
	r.cancel(&t.flight)
	sp := t.space
	if sp == nil {
		return
	}
	sp.users--
	if t.exiting {
		sp.exiting--
	}
	r.endSpace(sp)
}

// endSpace closes a space that nobody uses any more.
func (r *Recorder) endSpace(sp *space) {
	if sp.users > 0 || sp.view == nil {
		return
	}
	if !sp.proven && r.opts.Verify != VerifyOff {
		r.note("info", "unverified", fmt.Sprintf("pid %d was killed: its ledger could not be held against the kernel's view at the end", sp.pid))
	}
	sp.ended = true
	sp.view.close()
	sp.view = nil
}

// gone handles the end of a thread.
func (r *Recorder) gone(th *tracer.Thread, s *tracer.Stop) {
	delete(r.expected, th.TID)
	if th.TID == r.mainPID {
		r.setExit(s.Status)
	}
	t, _ := th.Data.(*task)
	if t == nil || r.tasks[th.TID] != t {
		return
	}
	delete(r.tasks, th.TID)
	sp := t.space
	r.leave(t)
	if sp != nil && sp.id != 0 {
		r.threadGone(t, th.TID)
	}
	// The last user may have been killed at its exit stop; those that are left are past theirs.
	if sp != nil && !sp.ended && sp.users > 0 && sp.exiting < sp.users {
		r.settleQuiet(sp)
	}
}
