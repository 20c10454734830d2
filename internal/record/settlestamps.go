package record

import (
	"slices"
	"time"

	"github.com/vmblame/vmblame/internal/mm"
	"github.com/vmblame/vmblame/internal/order"
	"github.com/vmblame/vmblame/tracer"
)

// settle is called at the end of a round of stops: the source has reported every call with a stamp up to newest,
// except those still under way.
func (b *backlog) settle(newest uint64) {
	b.newest = newest
	if len(b.spaces) == 0 {
		return
	}
	b.noteOpen()
	for sp := range b.spaces {
		b.settleSpace(sp)
	}
}

// noteOpen finds the oldest call of each space that is under way.
func (b *backlog) noteOpen() {
	for sp := range b.spaces {
		sp.stamps.open = 0
	}
	for th, stamp := range b.r.tracer.Pending {
		t, _ := th.Data.(*task)
		if t == nil || t.space == nil {
			continue
		}
		if st := &t.space.stamps; st.open == 0 || stamp < st.open {
			st.open = stamp
		}
	}
}

// nobodyInside reads the perf rings once more and reports whether no thread is inside a call of the space.
func (b *backlog) nobodyInside(sp *space) bool {
	b.r.tracer.Settle()
	for th := range b.r.tracer.Pending {
		if t, _ := th.Data.(*task); t != nil && t.space == sp {
			return false
		}
	}
	return true
}

// settleSpace settles the calls of a space whose place in the order is now certain.
func (b *backlog) settleSpace(sp *space) {
	st := &sp.stamps
	for f, ok := st.queue.Due(b.newest, st.open); ok; f, ok = st.queue.Due(b.newest, st.open) {
		f.forgetBreak()
		if f.asks() && !b.lookFor(f) && !b.overdue(f) {
			return // held threads stay at their stops
		}
		b.shift(sp)
	}
	settled := st.queue.Len() == 0
	if settled && (st.look || sp.mm.Uncertain() || b.r.opts.Verify == VerifyEach) && !sp.ended {
		settled = b.verifyMoving(sp)
	}
	if settled || !b.mayHold(st) {
		b.releaseHeld(sp)
	}
	if settled {
		delete(b.spaces, sp)
	}
}

// lookFor reads the part of the kernel's view that a call may have changed, and reports whether the reading is valid.
// It is valid only if no thread of the space was inside a call before and after it: the queue then holds every call
// whose effect the view shows.
func (b *backlog) lookFor(f *pending) bool {
	sp := f.space
	if !b.nobodyInside(sp) {
		return false
	}
	f.looked, f.rows = f.looked[:0], f.rows[:0]
	if sp.maps == nil || f.child != 0 {
		return true
	}
	for _, at := range sp.mm.Asked(&f.call.Op, f.mmReturn(f.errno(), 0)) {
		if at.Empty() {
			continue
		}
		rows, err := sp.maps.In(at)
		if err != nil {
			return true
		}
		f.looked, f.rows = append(f.looked, at), append(f.rows, rows...)
	}
	return b.nobodyInside(sp)
}

// mayHold reports whether the held threads may be held longer.
func (b *backlog) mayHold(st *stamps) bool {
	if len(st.held) == 0 {
		return false
	}
	b.r.wake.in(order.HoldBound)
	return !b.stuck(st.held[0].Data.(*task).space, time.Since(st.heldSince))
}

// stuck reports whether something that has waited so long for the calls under way in a space should wait no longer. One
// of these calls waits for something outside the kernel, perhaps for the very thread that is kept waiting. On a busy
// machine a call may just wait for a processor.
func (b *backlog) stuck(sp *space, waited time.Duration) bool {
	if waited < order.HoldBound || waited >= maxHold {
		return waited >= maxHold
	}
	for th := range b.r.tracer.Pending {
		if t, _ := th.Data.(*task); t != nil && t.space == sp && b.r.tasks.stuck(t, waited) {
			return true
		}
	}
	return false
}

// hold keeps a thread at its stop.
func (b *backlog) hold(sp *space, th *tracer.Thread) {
	if len(sp.stamps.held) == 0 {
		sp.stamps.heldSince = time.Now()
	}
	sp.stamps.held = append(sp.stamps.held, th)
}

// shift settles the first call of the queue.
func (b *backlog) shift(sp *space) {
	st := &sp.stamps
	f := st.queue.Take()
	st.late = st.late[:0]
	f.forgetBreak()
	if f.asks() {
		for l := range st.queue.All {
			if l.line == nil && l.child == 0 {
				st.late = append(st.late, mm.Late{Op: &l.call.Op, Ret: l.mmReturn(l.errno(), 0)})
			}
		}
		if st.lost != 0 { // what the kernel shows may be the effect of lost calls
			f.Uncertain = true
			sp.mm.MarkUncertain()
		}
	}
	if f.line == nil {
		if f.stamp == st.settled { // a clock that does not tell two locks apart
			f.Uncertain = true
			sp.mm.MarkUncertain()
		}
		st.settled = f.stamp
	}
	b.r.current = f.task
	st.settling = f
	f.Uncertain = f.Uncertain || !f.gone.Empty() || f.behindLost()
	b.place(f)
	st.settling, st.late = nil, st.late[:0]
}

// overdue reports whether a call has waited in the queue as long as any call may. It is then settled as it is, and
// marked uncertain.
func (b *backlog) overdue(f *pending) bool {
	now := time.Now()
	if f.reached.IsZero() {
		f.reached = now
	}
	if !b.stuck(f.space, now.Sub(f.reached)) {
		b.r.wake.in(order.HoldBound)
		return false
	}
	f.Uncertain = true
	f.space.mm.MarkUncertain()
	return true
}

// verifyMoving verifies a space whose threads are running, and reports whether there is nothing more to verify. The
// reading of the kernel's view is valid only if no thread was inside a call before and after it; otherwise verifyMoving
// must be called again.
func (b *backlog) verifyMoving(sp *space) bool {
	if sp.maps == nil {
		return true
	}
	if !b.nobodyInside(sp) {
		return false
	}
	v := &view{maps: sp.maps, space: sp}
	rows, err := sp.maps.All()
	if err != nil {
		return true
	}
	v.rows = slices.Clone(rows)
	if !b.nobodyInside(sp) {
		return false
	}
	why := sp.lookedFor()
	sp.mm.Look(v)
	b.r.verify(sp, why)
	v.rows = nil

	return true
}

// settleStill verifies the space if that is due. Its only thread is stopped.
func (b *backlog) settleStill(sp *space) {
	if !sp.ended && (sp.mm.Uncertain() || sp.stamps.look || b.r.opts.Verify == VerifyEach) {
		b.r.verify(sp, sp.lookedFor())
	}
}

// whyDiffers returns the known cause of differences between the ledger and the kernel's view, "" if there is none.
func (sp *space) whyDiffers() string {
	switch {
	case sp.stamps.blocked:
		return "signal blocked"
	case sp.stamps.unseen:
		return "unseen call"
	case sp.mm.Uncertain():
		return "uncertain order"
	}
	return ""
}

// lookedFor returns the known cause of differences that a comparison may find, "" if there is none, and clears the
// request for a comparison.
func (sp *space) lookedFor() (why string) {
	why = sp.whyDiffers()
	if sp.stamps.lost != 0 {
		sp.mm.SetBreak(0)
	}
	sp.stamps.look, sp.stamps.blocked, sp.stamps.unseen, sp.stamps.lost = false, false, false, 0
	return why
}

// settleAll settles all queued calls of a space whose threads have ended or are stopped.
func (b *backlog) settleAll(sp *space) {
	b.r.tracer.Settle()
	for th, stamp := range b.r.tracer.Pending { // it has ended, or will end, without another stop, or is let go before that
		if t, _ := th.Data.(*task); t != nil && t.space == sp && stamp >= sp.stamps.since {
			b.unseen(sp, stamp)
		}
	}
	for sp.stamps.queue.Len() > 0 {
		b.shift(sp)
	}
	b.releaseHeld(sp)
	delete(b.spaces, sp)
}

func (b *backlog) releaseHeld(sp *space) {
	held := sp.stamps.held
	for _, th := range held {
		b.r.source.Resume(th)
	}
	clear(held)
	sp.stamps.held = held[:0]
}
