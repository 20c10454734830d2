package simulation

import (
	"syscall"
	"time"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/mm"
	"github.com/vmblame/vmblame/internal/order"
	"github.com/vmblame/vmblame/internal/vm"
)

// state is where a thread is.
type state uint8

const (
	running   state = iota // its own code
	atEntry                // at the entry of a call, not yet told
	held                   // told, and made to wait
	inside                 // in the kernel, not yet served
	asleep                 // in the kernel, waiting for something outside; served or not
	atReturn               // served, not yet told
	dying                  // killed, not yet told
	dyingMute              // killed, and it will end without another stop
	dead
)

// thread is one that is traced with two stops a call.
type thread struct {
	order.Call
	request
	state     state
	skipped   bool // killed before the kernel began its call
	refused   bool // a filter of the program answers the call
	served    bool
	told      bool // of the entry of its call
	readsExec bool // READ_IMPLIES_EXEC
	// What the tracer keeps of the call.
	event *order.PendingEvent
	taken []ledger.Change
}

// twoStops is a recording of one address space, by a source that stops threads at entry and return. What stands here
// is what package record does with order and mm, and nothing else.
type twoStops struct {
	*dice
	*judge
	k       *kernel
	space   *mm.Space
	gate    *order.Gate
	events  order.Sequence
	threads []*thread
	users   int
	now     time.Time
	rules   order.Rules
	calls   int // still to be made
	images  int
}

func newTwoStops(rng *dice, j *judge) *twoStops {
	s := &twoStops{dice: rng, judge: j, now: time.Unix(0, 0), calls: 50 + rng.IntN(400)}
	s.rules = order.Rules{
		Now:        func() time.Time { return s.now },
		Stuck:      s.stuck,
		Killed:     func(c *order.Call) bool { st := c.Owner.(*thread).state; return st == dying || st == dyingMute },
		OneAtATime: rng.IntN(8) == 0,
	}
	s.image(1 + rng.IntN(6))
	return s
}

// image begins an address space with some threads.
func (s *twoStops) image(threads int) {
	s.images++
	s.k = newKernel(s.dice)
	space, err := mm.Load(s.k, 2<<20, ledger.Origin{Cause: ledger.Kernel})
	if err != nil {
		s.fail("load: %v", err)
		return
	}
	s.space = space
	if s.IntN(3) != 0 {
		space.SetBreak(s.k.brk)
	}
	s.gate = order.NewGate(space, &s.rules)
	s.threads = s.threads[:0]
	for range threads {
		t := &thread{readsExec: s.IntN(12) == 0}
		t.Owner = t
		s.threads = append(s.threads, t)
	}
	s.users = threads
	s.begun(space.Ledger())
}

// stuck answers as /proc would: a call that sleeps is, one that only waits for its turn is when that lasts, and one
// that has returned is not.
func (s *twoStops) stuck(c *order.Call, inside time.Duration) bool {
	switch t := c.Owner.(*thread); {
	case t.state == asleep:
		return inside >= 4*order.HoldBound || s.IntN(2) == 0
	case t.state == atReturn:
		return false
	}
	return inside >= time.Second
}

// step lets something happen that may; false where all is over.
func (s *twoStops) step() bool {
	n := s.IntN(len(s.threads))
	t := s.threads[n]
	if s.say != nil && t.state != held && t.state != dead {
		defer func(was state) {
			s.say("thread %d: state %d to %d: call %d %v %v %v len %#x: %v value %#x served %v touched %b", n, was, t.state, t.id, t.op.Kind, t.op.Range, t.op.Target, t.op.NewLen, t.errno, t.value, t.served, t.touched)
		}(t.state)
	}
	moved := t.state == atEntry || t.state == atReturn || t.state == dying || t.state == dyingMute
	switch t.state {
	case running:
		switch {
		case s.IntN(64) == 0:
			s.k.grow()
		case s.calls > 0:
			s.calls--
			t.request = s.k.ask(s.dice, s.nextCall())
			t.state, t.served, t.skipped, t.told = atEntry, false, false, false
			t.refused = s.IntN(100) == 0 && t.op.Kind != vm.OpExec
		}
	case atEntry:
		s.entered(t)
	case inside:
		switch n := s.IntN(40); {
		case t.refused:
			if s.IntN(2) == 0 { // SECCOMP_RET_ERRNO
				t.refused, t.served, t.errno, t.value = false, true, eAcces, refusal
				t.left, t.mapped = s.k.pages, s.k.mapped
			}
			t.state = atReturn
		case n == 0:
			t.state = asleep
		case n == 1:
			s.serve(t)
			t.state = asleep
		default:
			s.serve(t)
			t.state = atReturn
		}
	case asleep:
		if s.IntN(8) == 0 {
			if !t.served {
				s.serve(t)
			}
			t.state = atReturn
		}
	case atReturn:
		if t.op.Kind == vm.OpExec {
			s.execed(t)
		} else {
			t.state = running
			if t.refused {
				s.notExecuted(t)
			} else {
				s.returned(t)
			}
		}
	case dying, dyingMute:
		s.ended(t)
	}
	if s.IntN(300) == 0 {
		moved = true
		s.kill(s.threads[s.IntN(len(s.threads))])
	}
	if s.IntN(8) == 0 {
		s.now = s.now.Add(time.Duration(s.IntN(40)) * time.Millisecond)
		if s.gate.Waiting() {
			moved = true
			s.gate.Overdue()
			s.releaseWaiting()
		}
	}
	if moved { // else nothing has but a call that is under way
		s.check()
	}
	return !s.over()
}

// over reports whether no call is left, and none is under way.
func (s *twoStops) over() bool {
	if s.calls > 0 && s.users > 0 {
		return false
	}
	for _, t := range s.threads {
		if t.state != running && t.state != dead {
			return false
		}
	}
	return true
}

func (s *twoStops) serve(t *thread) {
	t.served = true
	if t.op.Kind != vm.OpExec {
		s.k.serve(s.dice, &t.request, t.readsExec)
	}
}

// kill kills a thread, wherever it is.
func (s *twoStops) kill(t *thread) {
	switch t.state {
	case dead, dying, dyingMute:
		return
	case atEntry, held:
		t.skipped = true
	case inside, asleep:
		if !t.served {
			switch {
			case t.refused || s.IntN(2) == 0:
				t.skipped = true
			case s.IntN(2) == 0: // in the wait for the lock
				t.served, t.value, t.errno = true, 0, eIntr
			default:
				s.serve(t)
			}
		}
	}
	t.state = dying
	if s.IntN(4) == 0 {
		t.state = dyingMute
		if t.served && t.told {
			s.lost(s.k, t.touched) // nobody will ever tell
		}
	}
}

// entered is the tracer at a syscall-enter-stop.
func (s *twoStops) entered(t *thread) {
	t.told = true
	t.taken = t.taken[:0]
	s.space.RoundToPages(&t.op)
	t.Classify(&t.op, false, s.space)
	if t.op.Kind == vm.OpExec {
		t.state = inside
		return
	}
	if !s.gate.Admit(&t.Call, s.users == 1) {
		t.state = held
		return
	}
	s.release(t)
}

func (s *twoStops) release(t *thread) {
	if t.Uncertain {
		s.space.MarkUncertain()
	}
	t.state = inside
	if silent(&t.op) {
		return
	}
	s.drift(s.space.GrowthBefore(&t.op), s.events.Last())
	if t.OnlyRemoves() && s.users > 1 {
		t.event = s.queue.Begin(&s.events)
		t.taken = s.space.RemoveEarly(t.At(), t.taken)
		s.queue.Open(t.event, t.At())
		if s.IntN(500) == 0 { // as if too much waited behind it
			s.withdraw(t)
		}
	}
}

// silent reports whether a call is no event.
func silent(op *vm.Op) bool {
	return op.Kind == vm.OpClone || op.Kind == vm.OpBrk && op.Addr == 0
}

func (s *twoStops) withdraw(t *thread) {
	t.Uncertain = true
	s.space.MarkUncertain()
	d := &eventlog.Drift{After: t.event.Previous()}
	s.rememberDrift(d, t.taken)
	s.queue.Withdraw(t.event, d)
}

func (s *twoStops) releaseWaiting() {
	for c := s.gate.Ready(); c != nil; c = s.gate.Ready() {
		s.release(c.Owner.(*thread))
	}
}

// returned is the tracer at a syscall-exit-stop, or at an exit stop that tells a result.
func (s *twoStops) returned(t *thread) {
	op := &t.op
	errno := t.errno
	if op.Kind == vm.OpBrk {
		switch {
		case op.Addr == 0:
			if s.space.Break() == 0 && s.gate.BreakStood(&t.Call) && errno == 0 {
				s.space.SetBreak(t.value)
			}
		case errno == 0 && t.value != op.Addr:
			errno = syscall.ENOMEM
		}
	}
	switch {
	case op.Kind == vm.OpClone:
		s.forked(t)
	case silent(op):
	case t.event == nil:
		if s.gate.HalfFailed(&t.Call, errno) {
			s.space.MarkUncertain()
		}
		e := s.queue.Begin(&s.events)
		changes := s.apply(t, errno, e)
		s.finish(e, t, changes)
		s.queue.PutEvent(e)
	case errno != 0:
		s.space.PutBack(t.taken)
		s.finishEarly(t, s.apply(t, errno, t.event))
	default:
		if op.Kind == vm.OpBrk {
			s.space.SetBreak(t.value)
		}
		s.finishEarly(t, t.taken)
	}
	t.told = false
	s.done(t)
}

func (s *twoStops) apply(t *thread, errno syscall.Errno, e *order.PendingEvent) []ledger.Change {
	s.number(e.Number(), t.id)
	out := s.space.Apply(&t.op, mm.Return{Event: e.Number(), Value: t.value, Errno: errno, ReadImpliesExec: t.readsExec}, nil)
	if s.say != nil {
		s.say("changes %v, drifts %v, unseen %v", out.Changes, out.Drifts, out.Unseen)
	}
	after := s.events.Last()
	if after == e.Number() && t.event == nil { // else it is in the queue
		after = e.Previous()
	}
	s.drift(out.Drifts, after)
	t.Uncertain = t.Uncertain || out.Unseen
	return out.Changes
}

func (s *twoStops) finish(e *order.PendingEvent, t *thread, changes []ledger.Change) {
	e.Uncertain = e.Uncertain || t.Uncertain
	if !e.Uncertain && !s.space.Uncertain() {
		s.effect(&t.request, changes)
	}
	s.rememberEvent(&e.Event, changes)
}

func (s *twoStops) finishEarly(t *thread, changes []ledger.Change) {
	e := t.event
	t.event = nil
	if e.Withdrawn() {
		e = s.queue.Begin(&s.events)
		s.finish(e, t, nil)
		s.queue.PutEvent(e)
		return
	}
	s.finish(e, t, changes)
	s.queue.Close(e)
}

// done takes a call out of the gate, and lets go what waited for it.
func (s *twoStops) done(t *thread) {
	waited := t.Active()
	s.gate.Release(&t.Call)
	s.settleQuiet()
	if waited {
		s.releaseWaiting()
	}
}

func (s *twoStops) settleQuiet() {
	if s.gate.Quiet() && (s.space.Uncertain() || s.rules.OneAtATime) {
		why := ""
		if s.space.Uncertain() {
			why = "uncertain order"
		}
		s.verify(why)
	}
}

func (s *twoStops) verify(why string) {
	drifts, compared := s.space.Verify(why)
	s.drift(drifts, s.events.Last())
	if compared {
		s.settled(why)
	}
}

func (s *twoStops) drift(drifts []mm.Drift, after uint64) {
	for i := range drifts {
		if !s.space.Uncertain() {
			s.drifted(&drifts[i])
		}
		d := &eventlog.Drift{After: after}
		s.rememberDrift(d, drifts[i].Changes)
		s.queue.Put(d)
	}
}

// forked holds the copy of the ledger against the copy that the kernel made.
func (s *twoStops) forked(t *thread) {
	if t.child == nil {
		return // it failed
	}
	s.drift(s.space.NoticeGrowth(), s.events.Last())
	child := s.space.Fork()
	child.Attach(t.child)
	if _, compared := child.Verify(""); !compared {
		s.fail("the copy cannot be compared")
	}
	s.compareWhole(child.Ledger(), t.child, 0, !t.Uncertain && t.child.forgotten == s.k.forgotten)
}

// execed is the tracer at PTRACE_EVENT_EXEC: the other threads are gone, and so is what was mapped.
func (s *twoStops) execed(t *thread) {
	s.k.gone = true
	for _, o := range s.threads {
		if o != t && o.state != dead {
			s.cancel(o)
			o.state = dead
			s.users--
		}
	}
	e := s.queue.Begin(&s.events)
	s.finish(e, t, nil)
	s.queue.PutEvent(e)
	s.space.Detach()
	s.image(1 + s.IntN(5))
}

// ended is the tracer at the end of a thread that was killed.
func (s *twoStops) ended(t *thread) {
	switch {
	case !t.told, t.state == dyingMute:
		s.cancel(t)
	case t.skipped, t.refused:
		s.notExecuted(t)
	case t.served && t.op.Kind != vm.OpExec:
		s.returned(t)
	default:
		s.cancel(t)
	}
	t.state, t.told = dead, false
	s.users--
	if s.users == 0 {
		return
	}
	if s.IntN(2) == 0 { // another one takes its place
		*t = thread{readsExec: s.IntN(12) == 0}
		t.Owner = t
		s.users++
	}
	s.settleQuiet()
}

// cancel drops a call of which nothing more will be told.
func (s *twoStops) cancel(t *thread) {
	if !t.told {
		return
	}
	if t.event != nil && s.space.StillThere(t.taken) {
		s.undo(t)
	}
	if t.event != nil {
		t.Uncertain = true
		s.space.MarkUncertain()
		s.finishEarly(t, t.taken)
	}
	if t.Active() {
		s.space.MarkUncertain()
		if t.op.Kind == vm.OpBrk {
			s.space.SetBreak(0)
		}
	}
	s.drop(t)
}

// notExecuted drops a call that the kernel has not performed.
func (s *twoStops) notExecuted(t *thread) {
	s.undo(t)
	s.drop(t)
}

func (s *twoStops) drop(t *thread) {
	if t.Active() {
		s.done(t)
	}
	t.told = false
}

func (s *twoStops) undo(t *thread) {
	if t.event == nil {
		return
	}
	s.space.PutBack(t.taken)
	s.queue.Undo(t.event)
	t.event = nil
}

// unsettled are the pages of which the ledger may say something else than the kernel, because a call is under way.
func (s *twoStops) unsettled() (pages set) {
	for _, t := range s.threads {
		if t.state == dead || !t.told {
			continue
		}
		if t.served {
			pages |= t.touched
		}
		if t.event != nil {
			pages |= pagesOf(t.At())
		}
	}
	return pages
}

// check holds the ledger against the kernel.
func (s *twoStops) check() {
	if !s.space.Uncertain() {
		s.compare(s.space.Ledger(), s.k, s.unsettled())
	}
}

// finishRun is the end of the recording.
func (s *twoStops) finishRun() {
	s.verify("")
	s.compareWhole(s.space.Ledger(), s.k, 0, true)
	s.queue.Flush()
	s.drain()
	s.closed(s.space.Ledger())
}
