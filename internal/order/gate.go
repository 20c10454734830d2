package order

import (
	"slices"
	"syscall"
	"time"

	"github.com/vmblame/vmblame/internal/vm"
)

// HoldBound is how long a call may keep others of its space waiting before Rules.Stuck is asked about it. A call that
// takes longer waits for something outside, which may be a thread that is held because of it (userfaultfd, FUSE).
//
// Shorter bounds give false alarms: on a busy machine a call waits 20 ms and more for a lock whose holder has no
// processor, and io_destroy(2) for an RCU grace period.
const HoldBound = 50 * time.Millisecond

// Rules are shared by the gates of a recording.
type Rules struct {
	// Now is a monotonic clock.
	Now func() time.Time
	// Stuck reports whether a call that has been in the kernel for HoldBound or more waits there for something that a
	// held thread may have to do. Until Stuck reports true, the gate goes on holding.
	Stuck func(c *Call, inside time.Duration) bool
	// Killed reports whether the thread of a waiting call has been killed: the call is then not let go, and the
	// thread's exit releases it.
	Killed func(c *Call) bool
	// OneAtATime lets calls go one by one, so that the kernel's view can be read after each.
	OneAtATime bool
}

// Gate says which calls of one address space may be in the kernel together.
type Gate struct {
	rules    *Rules
	space    Facts
	inFlight []*Call
	waiting  []*Call // in the order in which they came
	next     int     // index in waiting where Ready continues
	brks     uint64  // calls of brk(2) that were let go, mere queries excepted
}

// NewGate returns the gate of an address space in which no call is under way.
func NewGate(space Facts, rules *Rules) *Gate { return &Gate{space: space, rules: rules} }

// Admit lets a classified call go or keeps it waiting until Ready returns it, and reports whether it may go. alone
// says that no other task uses the address space, so that there is nothing to wait for.
func (g *Gate) Admit(c *Call, alone bool) bool {
	if c.class == unordered {
		if c.op.Kind == vm.OpBrk {
			c.brks = g.brks
			if slices.ContainsFunc(g.inFlight, (*Call).movesBreak) {
				c.brks = ^uint64(0)
			}
		}
		return true
	}
	c.active = true
	if alone {
		g.fly(c)
		return true
	}
	c.live = c.class == fixed && g.space.Covered(c.at)
	if g.blocked(c, len(g.waiting)) {
		g.waiting = append(g.waiting, c)
		return false
	}
	g.enter(c)
	return true
}

// enter counts a call as in flight, uncertain if it conflicts with one that is stuck.
func (g *Gate) enter(c *Call) {
	c.admitted = g.rules.Now()
	for _, o := range g.inFlight {
		if o.stuck && c.Conflicts(o) {
			o.Uncertain, c.Uncertain = true, true
		}
	}
	g.fly(c)
}

func (g *Gate) fly(c *Call) {
	g.inFlight = append(g.inFlight, c)
	if c.movesBreak() {
		g.brks++
	}
}

// blocked reports whether c must wait for a call in flight or for one of the first n that wait.
func (g *Gate) blocked(c *Call, n int) bool {
	for _, o := range g.inFlight {
		if !o.stuck && g.excludes(o, c) {
			return true
		}
	}
	for _, o := range g.waiting[:n] {
		if g.excludes(o, c) {
			return true
		}
	}
	return false
}

// excludes reports whether calls o and c may not be in the kernel together.
func (g *Gate) excludes(o, c *Call) bool { return g.rules.OneAtATime || c.Conflicts(o) }

// Release takes a call that has returned, or whose thread has ended, out of the gate. What waited for it is
// handed out by Ready.
func (g *Gate) Release(c *Call) {
	if !c.active {
		return
	}
	c.active = false
	g.inFlight = drop(g.inFlight, c)
	g.waiting = drop(g.waiting, c)
	g.next = 0
}

func drop(list []*Call, c *Call) []*Call {
	if i := slices.Index(list, c); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

// Ready returns a waiting call that may now go, and counts it as in flight; nil if there is none. After Release and
// Overdue call it until it returns nil; between two calls of Ready the caller may settle the place of the call it
// got.
func (g *Gate) Ready() *Call {
	for ; g.next < len(g.waiting); g.next++ {
		c := g.waiting[g.next]
		if c.op.Kind == vm.OpBrk && !c.narrow {
			c.classifyBrk(g.space.Break()) // another brk may have moved the break, or made it unknown
		}
		c.live = c.class == fixed && g.space.Covered(c.at)
		if g.blocked(c, g.next) || g.rules.Killed(c) {
			continue
		}
		g.waiting = slices.Delete(g.waiting, g.next, g.next+1)
		g.enter(c)
		return c
	}
	g.next = 0
	return nil
}

// Overdue looks for stuck calls and stops holding others for them. They and the calls that overtake them are
// uncertain, and the address space must be compared with the kernel's view once it is quiet.
func (g *Gate) Overdue() {
	now := g.rules.Now()
	for _, c := range g.inFlight {
		inside := now.Sub(c.admitted)
		if !c.stuck && inside >= HoldBound && g.rules.Stuck(c, inside) {
			c.stuck = true
		}
	}
	g.next = 0
}

// HalfFailed must be called before c is released if c has failed with an error. A fixed call may have unmapped its
// range before it failed, and other calls were not held for that: c then becomes uncertain, and so do the calls that
// may have been placed there meanwhile. HalfFailed reports whether there are any. It happens to a MAP_FIXED of
// anonymous memory when the kernel is out of memory.
func (g *Gate) HalfFailed(c *Call, err syscall.Errno) bool {
	found := false
	if c.class != fixed || c.op.Kind != vm.OpMap || err != syscall.ENOMEM {
		return false
	}
	for _, o := range g.inFlight {
		if o.class == chooser {
			o.Uncertain, c.Uncertain, found = true, true, true
		}
	}
	return found
}

// Waiting reports whether a call is held.
func (g *Gate) Waiting() bool { return len(g.waiting) > 0 }

// Quiet reports whether no call is in flight, so that ledger and kernel must agree.
func (g *Gate) Quiet() bool { return len(g.inFlight) == 0 }

// BreakStood reports whether the break cannot have moved since c, a brk(2) that only queries it, was admitted: the
// result of c is then the current break. Such a call has no place in the order.
func (g *Gate) BreakStood(c *Call) bool { return c.brks == g.brks }

// Abandon forgets the calls that wait, which have not begun, and returns them.
func (g *Gate) Abandon() []*Call {
	list := g.waiting
	for _, c := range list {
		c.active = false
	}
	g.waiting = nil
	return list
}

// InFlight returns a call that is in the kernel, nil where there is none.
func (g *Gate) InFlight() *Call {
	if len(g.inFlight) == 0 {
		return nil
	}
	return g.inFlight[0]
}
