package simulation

import "github.com/vmblame/vmblame/internal/vm"

// phase is where a thread is that stops once, behind its call.
type phase uint8

const (
	user     phase = iota // its own code
	entering              // in the kernel, without the lock
	sleeping              // in the kernel, waiting for something outside; served or not
	leaving               // served, on the way out
	stopped               // at a stop that the tracer has not been told of
	told                  // at a stop that it has been told of, until it lets the thread go
	doomed                // killed, not yet told
	ended
)

// why is what a thread stops for.
type why uint8

const (
	atSignal  why = iota // SIGTRAP of its perf event
	atLate               // the same, sent while SIGTRAP was blocked
	atSyscall            // the end of a call of a thread that is followed by PTRACE_SYSCALL
	atEvent              // PTRACE_INTERRUPT
	beforeCall
	atFork
	atExec
)

// watched is a thread with a perf event on the lock.
type watched struct {
	request
	phase   phase
	why     why
	served  bool
	fault   bool // the last lock was taken by a page fault or a call that is not followed
	driver  bool // and that call was ioctl
	refused bool // a seccomp filter of the program will answer the call
	early   bool // it will fail before it takes the lock
	mute    bool // killed, it will end without another stop
	// rolledBack says that the registers are as they were before the call: a filter has answered it.
	rolledBack bool
	readsRIE   bool // READ_IMPLIES_EXEC

	blocked     bool // SIGTRAP
	pending     bool // SIGTRAP has come while it was
	stepping    bool // the tracer follows it by PTRACE_SYSCALL
	interrupted bool

	ring []lock // what the tracer has not read
	open []lock // what it has read, and no stop has told of
}

// lock is one acquisition of the address space's lock.
type lock struct {
	stamp uint64
	call  *servedCall
}

// servedCall is what a call has changed, until the ledger has it.
type servedCall struct {
	pages   set
	applied bool
}

// oneStopKernel is the kernel's side: threads, their rings, and the one lock.
type oneStopKernel struct {
	*dice
	k       *kernel
	threads []*watched
	clock   uint64
	calls   int
	served  []*servedCall // not applied
	slab    []servedCall  // for the next ones
	ask     func() uint32 // numbers a call
	// What of the more seldom things happens in this run.
	blocks, loses, kills, drivers bool
	execing                       *watched
}

// take is the kernel giving the lock to a thread: do is what it does under it.
func (s *oneStopKernel) take(t *watched, do func() set) {
	s.clock++
	if len(s.slab) == 0 {
		s.slab = make([]servedCall, 256)
	}
	c := &s.slab[0]
	s.slab = s.slab[1:]
	c.pages = do()
	s.served = append(s.served, c)
	t.ring = append(t.ring, lock{s.clock, c})
}

// advance lets a thread make a step of its own.
func (s *oneStopKernel) advance(t *watched) {
	switch t.phase {
	case user:
		s.ownCode(t)
	case entering:
		switch n := s.IntN(40); {
		case t.early || t.refused:
			s.fails(t)
			s.leave(t)
		case n == 0:
			t.phase = sleeping
		case n == 1:
			s.serve(t)
			t.phase = sleeping
		default:
			s.serve(t)
			t.phase = leaving
		}
	case sleeping:
		if s.IntN(8) == 0 {
			if !t.served {
				s.serve(t)
			}
			t.phase = leaving
		}
	case leaving:
		s.leave(t)
	case told, stopped, doomed, ended:
	}
	if s.kills && s.IntN(400) == 0 {
		s.kill(s.threads[s.IntN(len(s.threads))])
	}
}

// ownCode is a thread between two calls.
func (s *oneStopKernel) ownCode(t *watched) {
	switch n := s.IntN(64); {
	case t.interrupted:
		t.interrupted = false
		t.phase, t.why = stopped, atEvent
	case n == 0:
		before := s.k.mapped
		s.k.grow()
		if s.k.mapped != before {
			t.fault, t.driver = true, false
			s.take(t, func() set { return 0 })
			s.signal(t)
		}
	case n == 1 && s.blocks:
		t.blocked = !t.blocked
		if !t.blocked && t.pending {
			t.pending = false
			t.phase, t.why = stopped, atLate
		}
	case n == 2 && s.drivers:
		t.fault, t.driver = true, true
		s.take(t, func() set {
			at := s.k.gap(s.dice, 2)
			if at < 0 {
				return 0
			}
			s.k.put(at, page{perms: vm.Read, file: 2, offset: 1})
			s.k.put(at+1, page{perms: vm.Read, file: 2, offset: 2})
			return span(at, at+2)
		})
		if s.signal(t); t.stepping && t.blocked {
			t.phase, t.why = stopped, atSyscall
		}
	case s.calls > 0 && s.execing == nil:
		s.calls--
		t.request = s.k.ask(s.dice, s.ask())
		t.phase, t.served, t.fault, t.rolledBack = entering, false, false, false
		t.early = t.fail && t.op.Kind != vm.OpBrk && s.IntN(2) == 0
		t.refused = s.IntN(100) == 0 && t.op.Kind != vm.OpExec
		if t.stepping {
			t.phase, t.why = stopped, beforeCall
		}
	}
}

func (s *oneStopKernel) serve(t *watched) {
	t.served = true
	switch t.op.Kind {
	case vm.OpExec:
		if s.IntN(2) == 0 { // of the new image, where it has come so far
			s.take(t, func() set { return 0 })
		}
		s.execing = t
	case vm.OpClone: // the lock of the copy is taken too
		s.take(t, func() set { s.k.serve(s.dice, &t.request, t.readsRIE); return 0 })
		s.take(t, func() set { return 0 })
	default:
		s.take(t, func() set { s.k.serve(s.dice, &t.request, t.readsRIE); return t.touched })
	}
}

// fails ends a call that does not come to the lock.
func (s *oneStopKernel) fails(t *watched) {
	switch {
	case t.refused && s.IntN(2) == 0: // SECCOMP_RET_TRAP
		t.rolledBack = true
	case t.refused: // SECCOMP_RET_ERRNO
		t.errno, t.value = eAcces, refusal
	default:
		t.errno = eNoMem
	}
}

// leave is a thread at the end of a call.
func (s *oneStopKernel) leave(t *watched) {
	switch {
	case t.op.Kind == vm.OpClone && t.child != nil:
		t.phase, t.why = stopped, atFork
	case t.op.Kind == vm.OpExec && t.served:
		for _, o := range s.threads {
			if o != t && o.phase != ended {
				s.kill(o)
				return
			}
		}
		t.phase, t.why = stopped, atExec
	case t.stepping:
		t.phase, t.why = stopped, atSyscall
	case !t.served:
		t.phase = user
	default:
		s.signal(t)
	}
}

// signal is the SIGTRAP of a perf event.
func (s *oneStopKernel) signal(t *watched) {
	switch {
	case t.blocked:
		t.pending = true
		t.phase = user
	case s.loses && s.IntN(100) == 0: // another SIGTRAP has come in the same moment
		t.phase = user
	default:
		t.phase, t.why = stopped, atSignal
	}
}

// kill kills a thread, wherever it is.
func (s *oneStopKernel) kill(t *watched) {
	if t.phase == ended || t.phase == doomed {
		return
	}
	inside := t.phase == entering || t.phase == sleeping
	if !inside && (t.phase == stopped || t.phase == told) && t.why == beforeCall {
		t.errno = eIntr // it has not begun
	}
	if inside && !t.served {
		switch {
		case t.early || t.refused:
			s.fails(t)
		case t.op.Kind != vm.OpExec && s.IntN(3) == 0:
			s.serve(t)
		default:
			t.errno = eIntr // in the wait for the lock
		}
	}
	if s.execing == t {
		if t.phase == stopped || t.phase == told {
			return
		}
		s.execing = nil
	}
	if t.phase == user {
		t.fault = true // it is in no call
	}
	t.phase = doomed
	t.mute = s.IntN(4) == 0
}
