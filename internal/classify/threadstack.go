package classify

import (
	"fmt"
	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/vm"
)

var threadStacks = &Heading{string(ThreadStack), words("thread stack"), AsThings}

// stackFamily are the stacks of threads, and what is like them.
var stackFamily = Family{
	Kinds: []Row{
		{ThreadStack, threadStacks.Words, threadStacks, false, "", hint(Variable, "OMP_STACKSIZE RUST_MIN_STACK").hint(JavaOption, "-Xss -XX:ThreadStackSize").
			by(Variable, "OMP_NUM_THREADS").by(Tunable, "glibc.pthread.").by(Machine, "rlimit_stack cpus"), adviseStacks},
		{StackGuard, words("stack guard"), threadStacks, true, "", ungoverned, noAdvice},
		{SignalStack, words("signal stack"), nil, false, "", ungoverned, noAdvice},
	},
	Labels: []Label{{"glibc: pthread stack", ThreadStack}, {"glibc: pthread user stack", ThreadStack}, {"glibc: unused stack", ThreadStack}, {"stack_and_tls", ThreadStack}},
}

func adviseStacks(u *Usage) (int64, string) {
	if !u.Known || len(u.Things) < 2 {
		return 0, ""
	}
	size := int64(256 << 10)
	for size < 4*u.Fullest {
		size *= 2
	}
	var spared int64
	for _, reserved := range u.Things {
		spared += max(0, reserved-size)
	}
	return spared, fmt.Sprintf("%s reserve %s of address space, the fullest uses %s: ulimit -s %d (the default size of new threads' stacks; pthread_attr_setstacksize, OMP_STACKSIZE, RUST_MIN_STACK or -Xss in the program) would spare %s",
		u.Row.Words.Count(len(u.Things)), u.Size(u.Reserved), u.Size(u.Fullest), size>>10, u.Size(spared))
}

// findThreadStacks knows the stacks that C libraries map for threads, each with its guard: glibc
// nptl/allocatestack.c (MAP_STACK, PROT_NONE and then mprotect; since 2.42 accessible at once, its guard
// no mapping of its own), musl src/thread/pthread_create.c. Whose it is say the stack pointer and the
// thread pointer with which a thread began: a stack that is used again is not mapped again.
func findThreadStacks(v *view) {
	for i, e := range v.free {
		if !anonymous(e) {
			continue
		}
		ev := v.root(i)
		j := i + 1
		if ev != nil {
			j = v.run(i)
		}
		if ev != nil && ev.anonymous() && ev.Flags&vm.MapStack != 0 {
			v.claimStack(i, j, "mmap with MAP_STACK")
			continue
		}
		t := v.stackOwner(i)
		switch {
		case ev != nil && !ev.anonymous():
		case t != nil && ev != nil && !ev.fixed() && e.Contains(t.TLS):
			v.claimStack(i, j, "")
		case t == nil && ev != nil && !accessible(e) && j > i+1:
			// A guard in front of the stack, of one mmap with it.
			if t := v.stackOwner(i + 1); t != nil && !ev.fixed() && v.Entries[i+1].Contains(t.TLS) {
				v.claimStack(i, j, "")
			}
		case t != nil && ev == nil && e.Perms&vm.Write != 0 && v.guardBelow(i):
			v.claimStack(i-1, j, "")
		case t != nil && ev == nil && e.Perms&vm.Write != 0 && e.Contains(t.TLS) && e.End-t.TLS < 64<<10:
			v.claimStack(i, j, "")
		}
	}
}

// guardBelow reports whether a small inaccessible mapping ends where entry i begins.
func (v *view) guardBelow(i int) bool {
	if !v.beside(i) || v.claimed(i-1) {
		return false
	}
	g := &v.Entries[i-1]
	return anonymous(g) && !accessible(g) && g.Len() <= 1<<20 && g.Origin.Cause == v.Entries[i].Origin.Cause && v.events[i-1] == v.events[i]
}

// claimStack claims the entries from i to j, of one mapping, for the thread that began in one of them.
func (v *view) claimStack(i, j int, mapped string) {
	d := Verdict{Kind: ThreadStack, Group: v.group(), Evidence: mapped}
	if ev := v.root(i); ev != nil && mapped != "" {
		if by := v.thread(ev.TID, ev.T); by != nil {
			d.Evidence += " by thread " + threadText(by)
		}
	}
	var t *Thread
	for k := i; k < j; k++ {
		if x := v.stackOwner(k); x != nil && (t == nil || x.End == 0 || t.End != 0) {
			t = x
		}
	}
	switch {
	case t != nil:
		d.TID = t.TID
		d.Detail = "of thread " + threadText(t)
		if t.End != 0 && t.End < v.lastActivity() {
			d.Detail += ", ended"
		}
		if mapped != "" {
			d.Evidence += "; "
		}
		d.Evidence += "the thread began in it"
	case v.ownStack(i) && v.Entries[j-1].End-v.Entries[i].Start <= 256<<10:
		d.Kind = SignalStack
		d.Evidence += ", not by the C library"
		if ev := v.root(i); ev != nil {
			v.ownedBy(&d, ev)
		}
	case v.ownStack(i):
		d.name(words("coroutine stack"))
		d.Confidence = Likely
		d.Evidence += ", not by the C library"
	default:
		d.Confidence = Likely
	}
	kind, name := d.Kind, d.Words()
	for ; i < j; i++ {
		d.Kind = kind
		d.name(name)
		if !accessible(&v.Entries[i]) {
			d.Kind = StackGuard
			d.name(Words{})
		}
		v.claim(i, d)
	}
}

// ownStack reports whether entry i is a stack that something else mapped than the C library, which maps those
// of threads: a small one is for signal handlers (Rust's library/std/src/sys/pal/unix/stack_overflow.rs),
// a larger one for coroutines (CRuby's cont.c).
func (v *view) ownStack(i int) bool {
	by := v.chain(v.root(i)).by()
	return by.module != "" && !callers.IsLibc(by.module) && by.name != "allocate_stack" && by.name != "__pthread_create"
}
