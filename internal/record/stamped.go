package record

import (
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
)

// A source that knows the kernel's order (tracer.Stop.Order) tells of calls when they have returned, threads in any
// order. They are settled in the order of their stamps, as far as the source has said that it is complete. No call
// is held for that; but where the kernel has to be asked what a call has done, threads that have made later calls
// wait at their stops until it has been asked, so that what those did is known and can be told apart.

// stamps is what of one address space waits for its place.
type stamps struct {
	queue     []*pending // ascending
	held      []*tracer.Thread
	heldSince time.Time
	open      uint64 // the oldest stamp whose call is under way, 0 for none
	since     uint64 // when the mappings were read: what is older is in them
	blocked   bool   // calls were made with SIGTRAP blocked: look says what they did
	look      bool   // something has changed mappings that no call explains
	// While a call is settled: where later ones have been that are not, and the call.
	ahead    []vm.Range
	settling *pending
}

// backlog is what of all address spaces waits.
type backlog struct {
	spaces map[*space]bool
	forks  map[int]*pending // by the child's tid
	spare  []*pending
	newest uint64
}

// stampsOrder reports whether the source knows the order.
func (r *Recorder) stampsOrder() bool { return r.backend == tracer.BySigtrap }

// stamped handles a call that has returned and whose place is known.
func (r *Recorder) stamped(t *task, s *tracer.Stop) {
	sp := t.space
	f := r.stampedCall(t, s)
	if f == nil {
		r.source.Resume(t.thread)
		return
	}
	if sp.alone() && len(sp.stamps.queue) == 0 {
		r.place(f)
		r.settleStill(sp)
		r.source.Resume(t.thread)
		return
	}
	r.enqueue(f)
	if len(sp.stamps.held) > 0 || r.opts.Verify == VerifyEach || f.asks() {
		r.hold(sp, t.thread)
		return
	}
	r.source.Resume(t.thread)
}

// stampedCall keeps what is needed of a call once its thread has gone on; nil where it is no event.
func (r *Recorder) stampedCall(t *task, s *tracer.Stop) *pending {
	sp := t.space
	errno := errnoOf(s.Result)
	if s.Order < sp.stamps.since || restarting(errno) || sp.ended {
		return nil
	}
	r.noteCompat(t, s.Call)
	var f *pending
	if n := len(r.backlog.spare); n > 0 {
		f = r.backlog.spare[n-1]
		r.backlog.spare = r.backlog.spare[:n-1]
	} else {
		f = &pending{}
	}
	*f = pending{task: t, space: sp, call: *s.Call, stamp: s.Order, result: s.Result, value: uint64(s.Result), looked: f.looked[:0], rows: f.rows[:0]}
	op := &f.call.Op
	sp.mm.RoundToPages(op)
	if silent(op) {
		return f
	}
	r.walk(f)
	if errno == 0 {
		r.readResult(f)
		if !sp.alone() || len(sp.stamps.queue) > 0 {
			r.lookAtOwn(f)
		}
	}
	return f
}

// stampedLast handles a call whose thread ends with it.
func (r *Recorder) stampedLast(t *task, s *tracer.Stop) {
	if s.Call == nil {
		return
	}
	if f := r.stampedCall(t, s); f != nil {
		r.enqueue(f)
	}
}

func (r *Recorder) enqueue(f *pending) {
	st := &f.space.stamps
	i := len(st.queue)
	for i > 0 && st.queue[i-1].stamp > f.stamp {
		i--
	}
	st.queue = slices.Insert(st.queue, i, f)
	r.backlogged(f.space)
}

func (r *Recorder) backlogged(sp *space) {
	if r.backlog.spaces == nil {
		r.backlog.spaces = make(map[*space]bool)
		r.backlog.forks = make(map[int]*pending)
	}
	r.backlog.spaces[sp] = true
}

// errno is what a stamped call failed with. brk(2) has where it left the break elsewhere than it was asked to.
func (f *pending) errno() syscall.Errno {
	if op := &f.call.Op; op.Kind == vm.OpBrk && op.Addr != 0 && uint64(f.result) != op.Addr {
		return syscall.ENOMEM
	}
	return errnoOf(f.result)
}

// asks reports whether the kernel's view has to tell what the call has done.
func (f *pending) asks() bool {
	return f.line == nil && (f.child != 0 || f.space.mm.Asks(&f.call.Op, f.mmReturn(f.errno(), 0)))
}

// place settles a stamped call, all before it being settled.
func (r *Recorder) place(f *pending) {
	sp, op := f.space, &f.call.Op
	switch {
	case f.child != 0:
		r.placeFork(f)
		return
	case f.line != nil:
		f.line.T = r.now()
		r.queue.Put(f.line)
		return
	}
	switch {
	case op.Kind == vm.OpBrk && op.Addr == 0:
		if sp.mm.Break() == 0 {
			sp.mm.SetBreak(uint64(f.result))
		}
	case op.Kind == vm.OpSetMM && f.errno() == 0:
		sp.mm.SetBreak(0)
	}
	if !silent(op) {
		b := r.begin(f)
		changes := r.applyRead(f, f.errno(), b.Number())
		r.finish(f, b, f.result, f.errno(), changes)
		r.queue.PutEvent(b)
		r.watchSize(sp)
	}
	r.backlog.spare = append(r.backlog.spare, f)
}

// forked handles a task that has copied its address space.
func (r *Recorder) forked(t *task, s *tracer.Stop) {
	sp := t.space
	if sp.alone() && len(sp.stamps.queue) == 0 {
		r.cloned(t, s.Child, s.Call)
		return
	}
	f := &pending{task: t, space: sp, stamp: s.Order, child: s.Child}
	f.call.Op.Kind = vm.OpClone
	r.enqueue(f)
	r.backlog.forks[s.Child] = f
}

// placeFork makes the copy of the ledger, and lets go the two that have waited for it.
func (r *Recorder) placeFork(f *pending) {
	delete(r.backlog.forks, f.child)
	r.cloned(f.task, f.child, nil)
	if f.started != nil {
		r.started(f.started)
	}
}

// touched handles a lock of the address space that no followed call explains.
func (r *Recorder) touched(t *task, s *tracer.Stop) {
	sp := t.space
	if sp.ended || s.Order < sp.stamps.since {
		r.source.Resume(t.thread)
		return
	}
	const ioctl = 16
	if s.Number == ioctl {
		sp.stamps.look = true
	} else {
		r.drift(sp, sp.mm.NoticeGrowth())
	}
	r.lookSoon(t)
}

// lookSoon has the space verified where that is due, and lets the thread go on.
func (r *Recorder) lookSoon(t *task) {
	sp := t.space
	if sp.stamps.look && sp.alone() && len(sp.stamps.queue) == 0 {
		r.settleStill(sp)
	} else if sp.stamps.look {
		r.backlogged(sp)
	}
	r.source.Resume(t.thread)
}

// missed handles calls that did not stop their thread.
func (r *Recorder) missed(t *task, s *tracer.Stop) {
	r.incomplete(s.Count, fmt.Sprintf("thread %d blocked SIGTRAP: %d of its calls were counted and not seen; what they did is told as drift, and while it does it is stopped at every system call", t.thread.TID, s.Count))
	if t.space.ended || s.Order < t.space.stamps.since {
		r.source.Resume(t.thread)
		return
	}
	t.space.stamps.look = true
	t.space.stamps.blocked = true
	r.lookSoon(t)
}

func (r *Recorder) incomplete(count uint64, text string) {
	if count > 0 {
		r.note("info", "incomplete", text)
	}
}

// execedUnseen prepares the event of an execve that was not seen before the new image had taken the place of the
// old: of its arguments only the path is left, which the kernel gives the new image.
func (r *Recorder) execedUnseen(t *task, f *pending, s *tracer.Stop) {
	old := t.space
	r.settleAll(old)
	if s.Call == nil || old.ended {
		return
	}
	*f = pending{task: t, space: old, call: *s.Call, text: s.Path, partial: true}
	if old.users == 1 && !old.proven && r.opts.Verify != VerifyOff {
		old.proven = true
		r.note("info", "unverified", fmt.Sprintf("pid %d: with the backend sigtrap execve is seen behind it: the ledger of the old image could not be held against the kernel's view at its end", t.pid))
	}
}
