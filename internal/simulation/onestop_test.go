package simulation

import (
	"slices"
	"time"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/mm"
	"github.com/vmblame/vmblame/internal/order"
	"github.com/vmblame/vmblame/internal/vm"
)

// returnedCall is a call that has returned and waits for its place.
type returnedCall struct {
	request
	stamp     uint64
	locks     []lock
	readsRIE  bool
	own       vm.Mapping
	gone      vm.Range
	thread    *watched
	fork      bool
	uncertain bool
	reached   time.Time
	looked    []vm.Range
	rows      []vm.Mapping
}

// oneStop is a recording of one address space by a source that stops threads behind their calls and knows the kernel's
// order: the simulated side is what tracer and record do with perf events, order and mm, and nothing else.
type oneStop struct {
	oneStopKernel
	*judge
	space  *mm.Space
	events order.Sequence
	queue  order.Stamps[*returnedCall]
	held   []*watched // they wait at their stops
	users  int
	now    time.Time
	each   bool // the ledger is compared after each call

	newest, open uint64
	lost         uint64
	look         bool
	heldSince    time.Time
	settling     *returnedCall
	late         []mm.Late
	free         []*returnedCall // reused
	list         []*watched      // reused
	rows         []vm.Mapping    // reused, and so are the next two
	copied       returnedCall
	locks        []lock
	hazy         set // where an uncertain call has been: known again when those behind it have been entered
}

func newOneStop(rng *dice, j *judge) *oneStop {
	s := &oneStop{judge: j, now: time.Unix(0, 0), each: rng.IntN(8) == 0}
	s.oneStopKernel = oneStopKernel{dice: rng, calls: 50 + rng.IntN(400), ask: j.nextCall,
		blocks: rng.IntN(3) == 0, loses: rng.IntN(4) == 0, kills: rng.IntN(3) == 0, drivers: rng.IntN(4) == 0}
	s.image(1 + rng.IntN(6))
	return s
}

// image begins an address space with some threads.
func (s *oneStop) image(threads int) {
	s.k = newKernel(s.dice)
	space, err := mm.Load(s, 2<<20, ledger.Origin{Cause: ledger.Kernel})
	if err != nil {
		s.fail("load: %v", err)
		return
	}
	s.space = space
	if s.IntN(3) != 0 {
		space.SetBreak(s.k.brk)
	}
	s.threads, s.held, s.served, s.execing = s.threads[:0], s.held[:0], s.served[:0], nil
	for range threads {
		s.threads = append(s.threads, &watched{readsRIE: s.IntN(12) == 0})
	}
	s.users, s.lost, s.look, s.hazy = threads, 0, false, 0
	s.begun(space.Ledger())
}

// step lets something happen that may; false where all is over.
func (s *oneStop) step() bool {
	if s.IntN(6) == 0 {
		s.round()
		s.check()
	} else {
		s.others(1) // which changes nothing but by calls that are under way
	}
	return !s.over()
}

// others lets threads make some steps: what may happen between two steps of the tracer.
func (s *oneStop) others(n int) {
	for range n {
		i := s.IntN(len(s.threads))
		t := s.threads[i]
		was := t.phase
		s.advance(t)
		if s.say != nil && was != t.phase {
			s.say("thread %d: %d to %d: call %d %v %v %v len %#x new %#x: %v value %#x touched %b, at %d", i, was, t.phase, t.id, t.op.Kind, t.op.Range, t.op.Target, t.op.Len, t.op.NewLen, t.errno, t.value, t.touched, s.clock)
		}
	}
	s.now = s.now.Add(100 * time.Microsecond)
	if s.IntN(2000) == 0 {
		s.now = s.now.Add(order.HoldBound)
	}
}

// round is the tracer taking all that have stopped, and settling.
func (s *oneStop) round() {
	list := s.list[:0]
	for _, t := range s.threads {
		if t.phase == stopped || t.phase == doomed {
			list = append(list, t)
		}
	}
	s.list = list
	s.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	image := s.k
	for _, t := range list {
		s.handle(t)
		if s.k != image {
			return // the others are gone
		}
		s.others(s.IntN(3))
	}
	newest := s.readRings()
	s.seekBlocked()
	s.settle(newest)
}

// drain reads a thread's ring.
func (s *oneStop) drain(t *watched) {
	for _, l := range t.ring {
		s.newest = max(s.newest, l.stamp)
	}
	t.open = append(t.open, t.ring...)
	t.ring = t.ring[:0]
}

// readRings is tracer.Settle: nothing stands still meanwhile.
func (s *oneStop) readRings() (newest uint64) {
	pass := func() {
		for _, t := range s.threads {
			s.drain(t)
			s.others(s.IntN(2))
		}
	}
	pass()
	newest = s.newest
	pass()
	return newest
}

func (s *oneStop) takeOpen(t *watched) (locks []lock) {
	if len(t.open) == 0 {
		return nil
	}
	n := len(s.locks)
	if n+len(t.open) > cap(s.locks) {
		s.locks, n = make([]lock, 0, 256), 0 // the callers of before keep the old one
	}
	s.locks = append(s.locks, t.open...)
	t.open = t.open[:0]
	return s.locks[n:]
}

// seekBlocked interrupts those that have taken the lock and will not stop: SIGTRAP is blocked, or was thrown away.
func (s *oneStop) seekBlocked() {
	for _, t := range s.threads {
		if len(t.open) > 0 && t.phase == user && (t.blocked && !t.stepping || s.calls == 0 || s.IntN(50) == 0) {
			t.interrupted = true
		}
	}
}

// handle is the tracer at a stop of a thread.
func (s *oneStop) handle(t *watched) {
	s.drain(t)
	if t.phase == doomed {
		s.ending(t)
		return
	}
	if t.phase != stopped {
		return
	}
	t.phase = told
	switch t.why {
	case atSignal:
		s.completed(t)
	case atSyscall:
		t.stepping = t.blocked
		s.completed(t)
	case beforeCall:
		if locks := s.takeOpen(t); len(locks) > 0 { // of page faults, and not of this call
			s.grown(locks)
		}
		t.phase = entering
	case atLate:
		s.missed(t)
	case atEvent:
		if len(t.open) > 0 {
			s.missed(t)
		} else {
			s.resume(t)
		}
	case atFork:
		s.forked(t)
	case atExec:
		s.execed(t)
	}
}

func (s *oneStop) resume(t *watched) {
	if t.phase == told {
		t.phase = user
	}
}

// completed is the tracer at the stop behind a call.
func (s *oneStop) completed(t *watched) {
	locks := s.takeOpen(t)
	if len(locks) == 0 {
		s.resume(t)
		return
	}
	if t.fault {
		s.touched(t, locks)
		return
	}
	if len(locks) > 1 {
		s.earlier(locks[:len(locks)-1])
	}
	s.returned(t, locks[len(locks)-1:])
}

// earlier is told of locks before the one of the call of which a stop tells: of a stack that has grown, or of calls
// whose signal has not come.
func (s *oneStop) earlier(locks []lock) {
	s.forget(locks)
	if s.lost == 0 || locks[0].stamp < s.lost {
		s.lost = locks[0].stamp
	}
	s.look = true
}

// forget says that nobody will tell what was done.
func (s *oneStop) forget(locks []lock) {
	for _, l := range locks {
		l.call.applied = true
		s.judge.lost(s.k, l.call.pages)
	}
}

func (s *oneStop) missed(t *watched) {
	t.stepping = t.blocked
	if locks := s.takeOpen(t); len(locks) > 0 {
		s.earlier(locks)
		s.lookSoon()
	}
	s.resume(t)
}

// touched is a lock that no followed call explains.
func (s *oneStop) touched(t *watched, locks []lock) {
	if t.driver {
		s.earlier(locks)
		s.lookSoon()
	} else {
		s.grown(locks)
	}
	s.resume(t)
}

// grown is told of locks that page faults have taken.
func (s *oneStop) grown(locks []lock) {
	if len(locks) > 1 {
		s.earlier(locks[:len(locks)-1])
	}
	s.forget(locks[len(locks)-1:])
	if grown := s.space.NoticeGrowth(); len(grown) > 0 {
		s.drift(grown, s.events.Last())
	} else {
		s.look = true
	}
	s.lookSoon()
}

func (s *oneStop) lookSoon() {
	if s.look && s.users == 1 && s.queue.Len() == 0 {
		s.settleStill()
	}
}

// newCall returns memory for a call.
func (s *oneStop) newCall(t *watched, locks []lock) (f *returnedCall) {
	if n := len(s.free); n > 0 {
		f, s.free = s.free[n-1], s.free[:n-1]
	} else {
		f = new(returnedCall)
	}
	*f = returnedCall{request: t.request, stamp: locks[0].stamp, locks: locks, thread: t, looked: f.looked[:0], rows: f.rows[:0]}
	return f
}

// keep keeps a call.
func (s *oneStop) keep(t *watched, locks []lock) *returnedCall {
	f := s.newCall(t, locks)
	f.readsRIE = t.readsRIE
	s.space.RoundToPages(&f.op)
	if !silent(&f.op) && f.errno == 0 && (s.users > 1 || s.queue.Len() > 0) {
		ret := f.ret(0)
		f.own, f.gone = s.space.Own(&f.op, &ret, func() (vm.File, bool) { return fileOf(uint16(f.op.FD)), true })
	}
	return f
}

// ret is how a call came back.
func (f *returnedCall) ret(event uint64) mm.Return {
	errno := f.errno
	if f.op.Kind == vm.OpBrk && f.op.Addr != 0 && errno == 0 && f.value != f.op.Addr {
		errno = eNoMem
	}
	return mm.Return{Event: event, Value: f.value, Errno: errno, ReadImpliesExec: f.readsRIE, Own: f.own, Gone: f.gone}
}

func (s *oneStop) asks(f *returnedCall) bool { return f.fork || s.space.Asks(&f.op, f.ret(0)) }

func (s *oneStop) returned(t *watched, locks []lock) {
	f := s.keep(t, locks)
	if s.users == 1 && s.queue.Len() == 0 {
		s.queue.Add(f.stamp, f)
		s.shift()
		s.settleStill()
		s.resume(t)
		return
	}
	s.queue.Add(f.stamp, f)
	if len(s.held) > 0 || s.each || s.asks(f) {
		s.hold(t)
		return
	}
	s.resume(t)
}

func (s *oneStop) hold(t *watched) {
	if len(s.held) == 0 {
		s.heldSince = s.now
	}
	s.held = append(s.held, t)
}

func (s *oneStop) releaseHeld() {
	for _, t := range s.held {
		s.resume(t)
	}
	s.held = s.held[:0]
}

func (s *oneStop) settle(newest uint64) {
	if s.queue.Len() == 0 && !s.look && !s.space.Uncertain() && len(s.held) == 0 && !s.each {
		return
	}
	s.open = 0
	for _, t := range s.threads {
		if len(t.open) > 0 && (s.open == 0 || t.open[0].stamp < s.open) {
			s.open = t.open[0].stamp
		}
	}
	for f, ok := s.queue.Due(newest, s.open); ok; f, ok = s.queue.Due(newest, s.open) {
		s.forgetBreak(f)
		if s.asks(f) && !s.lookFor(f) && !s.overdue(f) {
			return
		}
		s.shift()
	}
	settled := s.queue.Len() == 0
	if settled && (s.look || s.space.Uncertain() || s.each) {
		settled = s.verifyMoving()
	}
	if settled || len(s.held) == 0 || s.now.Sub(s.heldSince) >= order.HoldBound {
		s.releaseHeld()
	}
}

func (s *oneStop) nobodyInside() bool {
	s.readRings()
	for _, t := range s.threads {
		if len(t.open) > 0 {
			return false
		}
	}
	return true
}

func (s *oneStop) lookFor(f *returnedCall) bool {
	if !s.nobodyInside() {
		return false
	}
	f.rows, f.looked = f.rows[:0], f.looked[:0]
	if !f.fork {
		for _, at := range s.space.Asked(&f.op, f.ret(0)) {
			if at.Empty() {
				continue
			}
			s.others(s.IntN(2))
			rows, err := s.k.In(at)
			if err != nil {
				return true
			}
			f.looked, f.rows = append(f.looked, at), append(f.rows, rows...)
		}
	}
	return s.nobodyInside()
}

func (s *oneStop) overdue(f *returnedCall) bool {
	if f.reached.IsZero() {
		f.reached = s.now
	}
	if s.now.Sub(f.reached) < order.HoldBound {
		return false
	}
	f.uncertain = true
	s.space.MarkUncertain()
	return true
}

// behindLost reports whether a call comes after one of which nobody tells.
func (s *oneStop) behindLost(f *returnedCall) bool { return s.lost != 0 && f.stamp > s.lost }

// forgetBreak says that the break is not known where a call of which nobody tells may have moved it.
func (s *oneStop) forgetBreak(f *returnedCall) {
	if f.op.Kind == vm.OpBrk && s.behindLost(f) {
		s.space.SetBreak(0)
	}
}

// shift settles the first call of the queue.
func (s *oneStop) shift() {
	f := s.queue.Take()
	s.late = s.late[:0]
	s.forgetBreak(f)
	f.uncertain = f.uncertain || !f.gone.Empty() || s.behindLost(f)
	if s.asks(f) {
		for l := range s.queue.All {
			if !l.fork {
				s.late = append(s.late, mm.Late{Op: &l.op, Ret: l.ret(0)})
			}
		}
		if s.lost != 0 { // what the kernel shows may be the work of those of which nobody tells
			f.uncertain = true
			s.space.MarkUncertain()
		}
	}
	s.settling = f
	s.place(f)
	s.settling, s.late = nil, s.late[:0]
	s.free = append(s.free, f)
}

// place enters a call, all before it being entered.
func (s *oneStop) place(f *returnedCall) {
	for _, l := range f.locks {
		l.call.applied = true
	}
	op := &f.op
	if f.fork {
		s.drift(s.space.NoticeGrowth(), s.events.Last())
		child := s.space.Fork()
		child.Attach(f.child)
		if _, compared := child.Verify(""); !compared {
			s.fail("the copy cannot be compared")
		}
		s.compareWhole(child.Ledger(), f.child, s.judge.missing, !f.uncertain && f.child.forgotten == s.k.forgotten)
		s.resume(f.thread)
		return
	}
	if op.Kind == vm.OpBrk && op.Addr == 0 && f.errno == 0 && s.space.Break() == 0 {
		s.space.SetBreak(f.value)
	}
	if silent(op) {
		return
	}
	e := s.judge.queue.Begin(&s.events)
	s.number(e.Number(), f.id)
	out := s.space.ApplyAmong(op, f.ret(e.Number()), s.late, nil)
	if s.say != nil {
		s.say("call %d at %d is event %d: changes %v, drifts %v, unseen %v, among %d", f.id, f.stamp, e.Number(), out.Changes, out.Drifts, out.Unseen, len(s.late))
	}
	s.drift(out.Drifts, e.Previous())
	if e.Uncertain = f.uncertain || out.Unseen; e.Uncertain {
		s.doubt()
		s.hazy |= pagesOf(op.Range) | pagesOf(op.Target)
	} else if !s.space.Uncertain() && len(s.late) == 0 && op.Prot&vm.ProtGrowsDown == 0 { // else what the kernel showed may be others' work, or growth
		s.effect(&f.request, out.Changes)
	}
	s.rememberEvent(&e.Event, out.Changes)
	s.judge.queue.PutEvent(e)
}

func (s *oneStop) forked(t *watched) {
	locks := s.takeOpen(t)
	if n := len(locks) - 2; n > 0 {
		s.earlier(locks[:n])
		locks = locks[n:]
	}
	t.stepping = t.blocked
	f := s.newCall(t, locks)
	f.fork = true
	if s.users == 1 && s.queue.Len() == 0 {
		s.place(f)
		return
	}
	s.queue.Add(f.stamp, f)
}

// verifyMoving compares the ledger with the kernel's view although threads run.
func (s *oneStop) verifyMoving() bool {
	if !s.nobodyInside() {
		return false
	}
	s.others(s.IntN(2))
	rows, err := s.k.All()
	if err != nil {
		return true
	}
	s.copied.rows, s.copied.looked = append(s.copied.rows[:0], rows...), append(s.copied.looked[:0], rangeOf(0, pageCount))
	if !s.nobodyInside() {
		return false
	}
	s.settling = &s.copied
	s.verify(s.lookedFor())
	s.settling = nil
	return true
}

func (s *oneStop) settleStill() {
	if s.space.Uncertain() || s.look || s.each {
		s.verify(s.lookedFor())
	}
}

func (s *oneStop) lookedFor() (why string) {
	if s.space.Uncertain() {
		why = "uncertain order"
	}
	if s.lost != 0 {
		s.space.SetBreak(0)
	}
	s.look, s.lost = false, 0
	return why
}

func (s *oneStop) verify(why string) {
	drifts, compared := s.space.Verify(why)
	s.drift(drifts, s.events.Last())
	if compared {
		s.settled(why)
		s.heal(s.space.Ledger(), s.k)
	}
}

func (s *oneStop) drift(drifts []mm.Drift, after uint64) {
	for i := range drifts {
		if s.say != nil {
			s.say("drift %q: %v, unsure %v", drifts[i].Guess, drifts[i].Changes, s.unsure)
		}
		if !s.space.Uncertain() {
			s.drifted(&drifts[i])
		}
		d := &eventlog.Drift{After: after}
		s.rememberDrift(d, drifts[i].Changes)
		s.judge.queue.Put(d)
	}
}

// All implements mm.View.
func (s *oneStop) All() ([]vm.Mapping, error) { return s.In(rangeOf(0, pageCount)) }

// In implements mm.View, as record's view does.
func (s *oneStop) In(at vm.Range) ([]vm.Mapping, error) {
	if f := s.settling; f != nil {
		for _, looked := range f.looked {
			if looked.Covers(at) {
				return s.shown(f.rows, at), nil
			}
		}
	}
	return s.k.In(at)
}

// shown are the rows of a range, of rows that may be in any order and twice.
func (s *oneStop) shown(rows []vm.Mapping, at vm.Range) []vm.Mapping {
	list := s.rows[:0]
	for i := range rows {
		row := &rows[i]
		if !row.Overlaps(at) {
			continue
		}
		n := len(list)
		for n > 0 && list[n-1].Start > row.Start {
			n--
		}
		if n == 0 || list[n-1].Start != row.Start {
			list = slices.Insert(list, n, *row)
		}
	}
	s.rows = list
	return list
}

// PageSize implements mm.View. As everywhere, what In has returned is then no longer valid.
func (s *oneStop) PageSize(vm.Mapping) uint64 {
	clear(s.k.rows)
	clear(s.rows)
	return vm.PageSize
}

// execed is the tracer at PTRACE_EVENT_EXEC.
func (s *oneStop) execed(t *watched) {
	s.k.gone = true
	s.settleAll()
	e := s.judge.queue.Begin(&s.events)
	s.number(e.Number(), t.id)
	s.rememberEvent(&e.Event, nil)
	s.judge.queue.PutEvent(e)
	s.space.Detach()
	s.image(1 + s.IntN(5))
}

// ending is the tracer at the end of a thread that was killed: at its exit stop, and where it is mute at the word
// that it is gone.
func (s *oneStop) ending(t *watched) {
	if locks := s.takeOpen(t); len(locks) > 0 {
		s.lastLocks(t, locks)
	}
	t.phase = ended
	s.users--
	if s.users > 0 && s.IntN(2) == 0 && s.execing == nil { // another one takes its place
		*t = watched{readsRIE: s.IntN(12) == 0}
		s.users++
	}
	if s.users == 0 {
		s.settleAll()
		s.verify(s.lookedFor())
	}
}

// lastLocks tells the locks of a thread that was killed by the call that its registers show, which is all that the tracer
// has: whether the kernel has served that call is not among it.
func (s *oneStop) lastLocks(t *watched, locks []lock) {
	n := len(locks)
	switch {
	case t.mute, t.fault, t.rolledBack, t.errno == eIntr: // no call, or one that did nothing
		s.earlier(locks)
	case t.op.Kind == vm.OpClone && t.errno == 0:
		if n > 2 {
			s.earlier(locks[:n-2])
		}
		f := s.keep(t, locks[max(n-2, 0):])
		s.queue.Add(f.stamp, f)
	case t.op.Kind == vm.OpExec:
		s.earlier(locks)
	case t.errno != 0:
		s.earlier(locks)
		f := s.keep(t, locks[n-1:])
		s.queue.Add(f.stamp, f)
	default:
		if n > 1 {
			s.earlier(locks[:n-1])
		}
		f := s.keep(t, locks[n-1:])
		s.queue.Add(f.stamp, f)
	}
}

func (s *oneStop) settleAll() {
	s.readRings()
	for _, t := range s.threads { // they end without another stop
		if locks := s.takeOpen(t); len(locks) > 0 {
			s.earlier(locks)
		}
	}
	for s.queue.Len() > 0 {
		s.shift()
	}
	s.releaseHeld()
}

// over reports whether no call is left, and none is under way.
func (s *oneStop) over() bool {
	if s.calls > 0 && s.users > 0 {
		return false
	}
	for _, t := range s.threads {
		if t.phase != user && t.phase != ended || len(t.ring)+len(t.open) > 0 || t.phase == user && t.pending {
			return false
		}
	}
	return s.queue.Len() == 0
}

// check holds the ledger against the kernel.
func (s *oneStop) check() {
	s.served = slices.DeleteFunc(s.served, func(c *servedCall) bool { return c.applied })
	if !s.space.Uncertain() {
		if len(s.served) == 0 {
			s.hazy = 0
		}
		unsettled := s.hazy
		for _, c := range s.served {
			unsettled |= c.pages
		}
		s.compare(s.space.Ledger(), s.k, unsettled)
	}
}

// finishRun is the end of the recording.
func (s *oneStop) finishRun() {
	s.verify("")
	s.compareWhole(s.space.Ledger(), s.k, 0, true)
	s.judge.queue.Flush()
	s.judge.drain()
	s.closed(s.space.Ledger())
}
