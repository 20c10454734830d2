package classify

import (
	"fmt"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// findThreadStacks knows the stacks that C libraries map for threads, each with its guard: glibc
// nptl/allocatestack.c (MAP_STACK, PROT_NONE and then mprotect; since 2.42 accessible at once, its guard
// no mapping of its own), musl src/thread/pthread_create.c. Whose it is say the stack pointer and the
// thread pointer with which a thread began: a stack that is used again is not mapped again.
func findThreadStacks(v *view) {
	owner := map[int]*Thread{} // by the entry that its stack pointer is in
	for t := range v.Threads {
		x := &v.Threads[t]
		if x.SP == 0 {
			continue
		}
		// The pointer stands at the very top where nothing has been pushed yet.
		i := v.at(x.SP - 1)
		if i < 0 || v.claimed(i) || !anonymous(&v.Entries[i]) {
			continue
		}
		if was := owner[i]; was == nil || was.End != 0 {
			owner[i] = x
		}
	}
	for i, e := range v.free {
		ev := v.events[i]
		t := owner[i]
		mapped := ev != nil && ev.anonymous() && ev.Flags&vm.MapStack != 0
		if !accessible(e) || !anonymous(e) || e.Perms&vm.Write == 0 || !mapped && !v.isStack(i, ev, t) {
			continue
		}
		v.claimStack(i, e, t, mapped)
	}
	// What has not been made accessible yet, or a guard whose stack is gone.
	for i, e := range v.free {
		if ev := v.events[i]; ev != nil && ev.anonymous() && ev.Flags&vm.MapStack != 0 && !accessible(e) {
			v.claim(i, Verdict{Kind: StackGuard, Confidence: Likely, Evidence: "mmap with MAP_STACK, never made accessible"})
		}
	}
}

// isStack tells whether an entry without MAP_STACK in which a thread began is a stack: it must have been
// made for that alone, as musl does, with the thread's TLS at its top.
func (v *view) isStack(i int, ev *Event, t *Thread) bool {
	if t == nil {
		return false
	}
	e := &v.Entries[i]
	if ev == nil {
		return e.Contains(t.TLS) || v.guardBelow(i)
	}
	return e.Contains(t.TLS) && ev.anonymous()
}

// guardBelow tells whether a small inaccessible mapping ends where entry i begins.
func (v *view) guardBelow(i int) bool {
	if !v.beside(i) || v.claimed(i-1) {
		return false
	}
	g := &v.Entries[i-1]
	return anonymous(g) && !accessible(g) && g.Len() <= 1<<20 && g.Origin.Cause == v.Entries[i].Origin.Cause && v.events[i-1] == v.events[i]
}

func (v *view) claimStack(i int, e *ledger.Entry, t *Thread, mapped bool) {
	d := Verdict{Kind: ThreadStack, Group: v.group()}
	switch {
	case t != nil && mapped:
		d.Evidence = "mmap with MAP_STACK; the thread began in it"
	case t != nil:
		d.Evidence = "the thread began in it"
	default:
		d.Evidence, d.Confidence = "mmap with MAP_STACK", Likely
	}
	if t != nil {
		d.TID = t.TID
		d.Detail = "of thread " + threadText(t)
		if t.End != 0 {
			d.Detail += ", ended"
		}
	}
	v.claim(i, d)
	if v.guardBelow(i) {
		d.Kind, d.Name = StackGuard, ""
		v.claim(i-1, d)
	}
}

// threadText is how a thread is called.
func threadText(t *Thread) string {
	if t.Name == "" {
		return fmt.Sprint(t.TID)
	}
	return fmt.Sprintf("%d %s", t.TID, t.Name)
}
