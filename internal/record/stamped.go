package record

import (
	"fmt"
	"syscall"
	"time"

	"github.com/vmblame/vmblame/internal/mm"
	"github.com/vmblame/vmblame/internal/order"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
)

// A source that knows the kernel's order (tracer.Stop.Order) reports calls after they have returned, the threads in
// no particular order. The backlog sorts them by stamp and settles each as soon as the source has reported everything
// older. No call is held for that. But if the kernel's view is needed to find out what a call has done, threads that
// return from later calls stay at their stops until it has been read, so that the effects of the later calls are
// known and can be told apart.

// stamps holds the calls of one address space that wait for their place in the order.
type stamps struct {
	queue     order.Stamps[*pending]
	held      []*tracer.Thread
	heldSince time.Time
	open      uint64 // the oldest stamp whose call is under way, 0 for none
	since     uint64 // stamp at which the mappings were read: they include all older calls
	blocked   bool   // calls were made with SIGTRAP blocked: reading the mappings shows what they did
	unseen    bool   // calls were served whose threads were killed, or let go, before they could tell
	settled   uint64 // the stamp of the newest call that has come out of the queue
	look      bool   // the mappings must be compared: a change that no call explains
	lost      uint64 // stamp of the first call that was served but not seen, 0 for none: later ones are uncertain
	// While a call is settled: the call, and the later ones that have returned, if the kernel has to be asked.
	settling *pending
	late     []mm.Late
}

// backlog holds the calls of all address spaces that wait for their place.
type backlog struct {
	r      *Recorder
	spaces map[*space]bool
	forks  map[int]*pending // by the child's tid
	spare  []*pending
	newest uint64
}

func newBacklog(r *Recorder) *backlog {
	return &backlog{r: r, spaces: make(map[*space]bool), forks: make(map[int]*pending)}
}

// returned handles a call that has returned and whose place is known.
func (b *backlog) returned(t *task, s *tracer.Stop) {
	sp := t.space
	b.earlier(t, s)
	f := b.keep(t, s)
	if f == nil {
		b.r.source.Resume(t.thread)
		return
	}
	if sp.alone() && sp.stamps.queue.Len() == 0 {
		if !f.asks() && !sp.stamps.look && !b.r.opts.looksAtReturn(sp) {
			b.r.source.Resume(t.thread)
			b.place(f)
			return
		}
		if sp.stamps.lost == 0 {
			b.place(f)
		} else {
			b.enqueue(f)
			b.shift(sp)
		}
		b.settleStill(sp)
		b.r.source.Resume(t.thread)
		return
	}
	b.enqueue(f)
	if len(sp.stamps.held) > 0 || b.r.opts.Verify == VerifyEach || f.asks() {
		b.hold(sp, t.thread)
		return
	}
	b.r.source.Resume(t.thread)
}

// keep saves what is needed of a call after its thread has been resumed. It returns nil if the call makes no event.
func (b *backlog) keep(t *task, s *tracer.Stop) *pending {
	sp := t.space
	errno := errnoOf(s.Result)
	if s.Order < sp.stamps.since || restarting(errno) || sp.ended {
		return nil
	}
	b.r.out.noteCompat(t, s.Call)
	var f *pending
	if n := len(b.spare); n > 0 {
		f = b.spare[n-1]
		b.spare = b.spare[:n-1]
	} else {
		f = &pending{}
	}
	*f = pending{task: t, space: sp, call: *s.Call, stamp: s.Order, result: s.Result, value: uint64(s.Result), looked: f.looked[:0], rows: f.rows[:0]}
	op := &f.call.Op
	sp.mm.RoundToPages(op)
	if silent(op) {
		return f
	}
	b.r.stacks.walk(f)
	f.readLimits(f.errno())
	if errno == 0 {
		f.readResult()
		if !sp.alone() || sp.stamps.queue.Len() > 0 {
			b.lookAtOwn(f)
		}
	}
	return f
}

// earlier handles the acquisitions of mmap_lock that a thread made before that of the call which s reports. One of
// them may be a page fault inside the call: the kernel wrote to a stack, which grew.
func (b *backlog) earlier(t *task, s *tracer.Stop) {
	sp := t.space
	if s.Count == 0 || sp.ended || s.Order != 0 && s.Order < sp.stamps.since {
		return
	}
	if s.Call != nil && s.Call.Op.Kind == vm.OpAioSetup && s.Result < 0 {
		return // a failed io_setup has unmapped what it mapped
	}
	if s.Call != nil && (s.Call.Op.Kind == vm.OpExec || s.Kind == tracer.Exiting && s.Result < 0) {
		b.unseen(sp, s.First) // perhaps: they may be the call's own, of which those of execve are in the new image
		return
	}
	if s.Count == 1 && s.Call != nil {
		if grown := sp.mm.NoticeGrowth(); len(grown) > 0 {
			b.r.out.drift(sp, grown, sp.events.Last())
			s.Order = s.First
			return
		}
	}
	b.untold(t, s.First, s.Count)
}

// untold reports calls of a thread that the kernel counted and that caused no stop.
func (b *backlog) untold(t *task, first, count uint64) {
	st := &t.space.stamps
	b.r.out.incomplete(count, fmt.Sprintf("thread %d blocked or lost SIGTRAP: %d of its calls were counted and not seen; what they did is told as drift, and while it blocks it is stopped at every system call", t.thread.TID, count))
	st.look, st.blocked = true, true
	b.lose(t.space, first)
}

// lose records that the kernel has served a call, at this stamp, whose arguments or result will never be known.
func (b *backlog) lose(sp *space, stamp uint64) {
	sp.stamps.look = true
	if sp.stamps.lost == 0 || stamp < sp.stamps.lost {
		sp.stamps.lost = stamp
	}
	b.add(sp)
}

// unseen records a call whose thread was killed, or let go, before it could tell of it.
func (b *backlog) unseen(sp *space, stamp uint64) {
	sp.stamps.unseen = true
	b.lose(sp, stamp)
}

// behindLost reports whether the call comes after a lost one (stamps.lost).
func (f *pending) behindLost() bool {
	lost := f.space.stamps.lost
	return lost != 0 && f.stamp > lost
}

// forgetBreak makes the program break unknown before a brk that comes after a lost call, which may have moved it.
func (f *pending) forgetBreak() {
	if f.call.Op.Kind == vm.OpBrk && f.behindLost() {
		f.space.mm.SetBreak(0)
	}
}

// last handles a call at the exit stop of its thread.
func (b *backlog) last(t *task, s *tracer.Stop) {
	b.earlier(t, s)
	if s.Call == nil {
		return
	}
	if f := b.keep(t, s); f != nil {
		b.enqueue(f)
	}
}

func (b *backlog) enqueue(f *pending) {
	f.space.stamps.queue.Add(f.stamp, f)
	b.add(f.space)
}

func (b *backlog) add(sp *space) {
	b.spaces[sp] = true
}

// errno is the error of a stamped call.
func (f *pending) errno() syscall.Errno { return errnoAfter(&f.call.Op, f.result) }

// asks reports whether the kernel's view is needed to find out what the call has done.
func (f *pending) asks() bool {
	return f.line == nil && (f.child != 0 || f.space.mm.Asks(&f.call.Op, f.mmReturn(f.errno(), 0)))
}

// place settles a stamped call. All calls before it have been settled.
func (b *backlog) place(f *pending) {
	sp, op := f.space, &f.call.Op
	switch {
	case f.child != 0:
		b.placeFork(f)
		return
	case f.line != nil:
		f.line()
		return
	}
	switch {
	case op.Kind == vm.OpBrk && op.Addr == 0:
		if sp.mm.Break() == 0 && f.errno() == 0 {
			sp.mm.SetBreak(uint64(f.result))
		}
	case op.Kind == vm.OpSetMM && f.errno() == 0:
		sp.mm.SetBreak(0)
	}
	if !silent(op) {
		e := b.r.out.begin(f)
		changes := b.r.applyRead(f, f.errno(), e)
		b.r.out.finish(f, e, f.result, f.errno(), changes)
		b.r.out.queue.PutEvent(e)
		b.r.watchSize(sp)
	}
	b.spare = append(b.spare, f)
}

// forked handles a task that has copied its address space.
func (b *backlog) forked(t *task, s *tracer.Stop) {
	sp := t.space
	if sp.alone() && sp.stamps.queue.Len() == 0 {
		b.r.cloned(t, s.Child, s.Call)
		return
	}
	f := &pending{task: t, space: sp, stamp: s.Order, child: s.Child}
	f.call.Op.Kind = vm.OpClone
	b.enqueue(f)
	b.forks[s.Child] = f
}

// placeFork copies the ledger for the child, and resumes parent and child, which have waited for it.
func (b *backlog) placeFork(f *pending) {
	delete(b.forks, f.child)
	b.r.cloned(f.task, f.child, nil)
	if f.started != nil {
		b.r.started(f.started)
	}
}

// touched handles a lock of the address space that no followed call explains.
func (b *backlog) touched(t *task, s *tracer.Stop) {
	sp := t.space
	if sp.ended || s.Order < sp.stamps.since {
		b.r.source.Resume(t.thread)
		return
	}
	b.earlier(t, s)
	const fault = -1
	if s.Number == fault {
		grown := sp.mm.NoticeGrowth()
		b.r.out.drift(sp, grown, sp.events.Last())
		sp.stamps.look = sp.stamps.look || len(grown) == 0
	} else {
		b.lose(sp, s.Order) // a driver's ioctl, most likely
	}
	b.lookSoon(t)
}

// lookSoon schedules a comparison of the ledger with the kernel's view, and resumes the thread.
func (b *backlog) lookSoon(t *task) {
	sp := t.space
	if sp.stamps.look && sp.alone() && sp.stamps.queue.Len() == 0 {
		b.settleStill(sp)
	} else if sp.stamps.look {
		b.add(sp)
	}
	b.r.source.Resume(t.thread)
}

// missed handles calls that did not stop their thread.
func (b *backlog) missed(t *task, s *tracer.Stop) {
	if !t.space.ended && s.Order >= t.space.stamps.since {
		b.untold(t, s.First, s.Count)
		b.lookSoon(t)
		return
	}
	b.r.source.Resume(t.thread)
}

// execed prepares the event of an execve that was first seen when the new image had replaced the old one. Of its
// arguments only the path is known, from the new image's auxiliary vector (AT_EXECFN).
func (b *backlog) execed(t *task, s *tracer.Stop) {
	f := &t.pending
	old := t.space
	b.settleAll(old)
	if s.Call == nil || old.ended {
		return
	}
	*f = pending{task: t, space: old, call: *s.Call, text: s.Path, partial: true}
	if old.users == 1 && !old.proven && b.r.opts.Verify != VerifyOff {
		old.proven = true
		b.r.out.note("info", "unverified", fmt.Sprintf("pid %d: the backend sigtrap sees an execve only when it is over: the ledger of the old image could not be compared with the kernel's view at its end", t.pid))
	}
}

// behindCalls has a line written behind the calls of the task's space that have no place yet: of what follows them, and depends on them.
func (b *backlog) behindCalls(t *task, write func()) {
	queue := &t.space.stamps.queue
	if queue.Len() == 0 {
		write()
		return
	}
	b.enqueue(&pending{task: t, space: t.space, stamp: queue.Last(), line: write})
}
