package analysis

import (
	"cmp"
	"iter"
	"strconv"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/ledger"
)

// who returns the chain of calls that made x in p, or words if none did. p may be nil if no event made x.
func (s *State) who(p *process, x *mapping) callers.Chain {
	if x.event == nil {
		return s.made(x.Origin.Cause, "", 0, "")
	}
	return s.made(x.Origin.Cause, x.event.Call, x.event.Stack, p.Exe)
}

// made returns who made something: the chain of calls on a call's stack, in a process that runs exe, or words. call
// is "" if unknown; stack is 0 for none.
func (s *State) made(cause ledger.Cause, call string, stack int, exe string) callers.Chain {
	switch cause {
	case ledger.Kernel:
		return callers.Words("the kernel, at exec")
	case ledger.StackGrowth:
		return callers.Words("the kernel: stack growth")
	case ledger.Drift:
		return callers.Words("no traced call (drift)")
	case ledger.BeforeAttach:
		return callers.Words("before attach")
	}
	switch {
	case call == "":
		return callers.Words("?")
	case stack == 0:
		return callers.Words(call + " (no stack)")
	}
	return s.chain(stack, exe)
}

// chain caches names.chain, by stack.
func (s *State) chain(stack int, exe string) callers.Chain {
	k := chainKey{stack, exe}
	c, ok := s.chains[k]
	if !ok {
		c = s.names.chain(stack, exe)
		s.chains[k] = c
		s.noteUnnamed(stack)
	}
	return c
}

// chain returns who is to blame for a stack in a process that runs exe.
func (n *Names) chain(stack int, exe string) callers.Chain {
	return n.rules.Who(callers.Stack{Calls: n.callsOf(stack), Exe: exe, Roots: n.roots, Cut: n.stackEnd(stack) != ""})
}

// callsOf yields the calls of a stack, innermost first.
func (n *Names) callsOf(stack int) iter.Seq[callers.Call] {
	return func(yield func(callers.Call) bool) {
		for s := range n.walk(stack) {
			if !yield(s.caller()) {
				return
			}
		}
	}
}

func (st *step) caller() callers.Call {
	if st.omitted > 0 {
		return callers.Call{Omitted: st.omitted, Frame: st.frame}
	}
	return callers.Call{Function: st.name, Module: st.in, Source: cmp.Or(st.file, st.unit), Global: st.global, Address: st.addr, Frame: st.frame}
}

// thread names the thread of an event.
func (s *State) thread(tid int, t int64) string { return ThreadLabel(tid, s.threads.name(tid, t)) }

// ThreadName is what the thread of that tid was called at time t, "" where that is not known.
func (s *State) ThreadName(tid int, t int64) string { return s.threads.name(tid, t) }

// ThreadLabel names a thread by its tid and its name, which may be "": "9838 worker". It is "" for no thread.
func ThreadLabel(tid int, name string) string {
	switch {
	case tid == 0:
		return ""
	case name == "":
		return strconv.Itoa(tid)
	}
	return strconv.Itoa(tid) + " " + name
}

// WhoCalled returns who is to blame for a stack in a process that runs exe.
func (s *State) WhoCalled(stack int, exe string) Who { return s.chain(stack, exe) }
