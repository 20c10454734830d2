package classify

import (
	"fmt"
	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/vm"
	"slices"
	"strconv"
)

var threadStacks = &Heading{string(ThreadStack), words("thread stack"), AsThings}

var fiberSettings = governed(Variable, "RUBY_FIBER_VM_STACK_SIZE RUBY_FIBER_MACHINE_STACK_SIZE")

// stackFamily is the stacks of threads, and what resembles them.
var stackFamily = Family{
	Kinds: []Row{
		{ThreadStack, threadStacks.Words, threadStacks, false, "", hint(Variable, "OMP_STACKSIZE RUST_MIN_STACK").hint(JavaOption, "-Xss -XX:ThreadStackSize").
			by(Variable, "OMP_NUM_THREADS").by(Tunable, "glibc.pthread.").by(Machine, "rlimit_stack cpus"), adviseStacks},
		{CoroutineStack, words("coroutine stack"), nil, false, "", fiberSettings, noAdvice},
		{CoroutinePool, Words{"pool of coroutine stacks", "pools of coroutine stacks"}, nil, false, "", fiberSettings, noAdvice},
		{StackGuard, words("stack guard"), threadStacks, true, "", ungoverned, noAdvice},
		{SignalStack, words("signal stack"), nil, false, "", ungoverned, noAdvice},
	},
	Labels: []Label{{"glibc: pthread stack", ThreadStack}, {"glibc: pthread user stack", ThreadStack}, {"glibc: unused stack", ThreadStack}, {"stack_and_tls", ThreadStack}},
}

// adviseStacks advises about stacks whose size comes from the limit, as with glibc where the program sets none, and
// about those of a Java VM. The size of other stacks is set in the program.
func adviseStacks(u *Usage) (int64, string) {
	limit, _ := strconv.ParseInt(u.Recorded("rlimit_stack"), 10, 64)
	java := u.Loaded(jvmFamily.has)
	ofLimit := func(reserved int64) bool { return reserved >= limit && reserved <= limit+64<<10 }
	if !u.Known || len(u.Things) < 2 || !java && (limit == 0 || u.Loaded(callers.Module.IsMusl)) {
		return 0, ""
	}
	size := int64(256 << 10)
	for size < 4*u.Fullest {
		size *= 2
	}
	n, spared := 0, int64(0)
	for _, reserved := range u.Things {
		if reserved > size && (java || ofLimit(reserved)) {
			n++
			spared += reserved - size
		}
	}
	how := fmt.Sprintf("ulimit -s %d (the size of new threads' stacks where the program gives none)", size>>10)
	if java {
		how = fmt.Sprintf("-Xss%dk (the size of Java threads' stacks)", size>>10)
	}
	if n < 2 {
		return 0, ""
	}
	return spared, fmt.Sprintf("%s reserve %s of address space, the fullest uses %s: %s would spare %s",
		u.Row.Words.Count(len(u.Things)), u.Size(u.Reserved), u.Size(u.Fullest), how, u.Size(spared))
}

// findThreadStacks recognises the stacks that C libraries map for threads, each with its guard: glibc
// nptl/allocatestack.c (MAP_STACK, PROT_NONE and then mprotect; since 2.42 accessible at once, its guard no mapping
// of its own), musl src/thread/pthread_create.c. The owner is found by the stack pointer and the thread pointer that
// a thread started with, not by who mapped it: a reused stack is not mapped again. Stacks that something else maps,
// and that no thread starts on, are for coroutines or for signal handlers.
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
		case t != nil && ev != nil && v.isMuslStack(i, j, ev, t):
			v.claimStack(i, j, "")
		case ev != nil && v.stacksIn(i, j) == 1 && v.sbclThread(ev):
			v.claimStack(i, j, "mmap by SBCL")
		case t == nil && ev != nil && !accessible(e) && j > i+1:
			// The guard below a stack, made by the same mmap.
			if t := v.stackOwner(i + 1); t != nil && v.isMuslStack(i+1, j, ev, t) {
				v.claimStack(i, j, "")
			}
		case t != nil && ev == nil && e.Perms&vm.Write != 0 && v.guardBelow(i):
			v.claimStack(i-1, j, "")
		case t != nil && ev == nil && e.Perms&vm.Write != 0 && e.Contains(t.TLS) && e.End-t.TLS < 64<<10:
			v.claimStack(i, j, "")
		}
	}
}

// sbclThread reports whether SBCL made a mapping. For each thread it maps one, with three stacks and the thread's
// variables (alloc_thread_struct of src/runtime/thread.c).
func (v *view) sbclThread(ev *Event) bool {
	c := v.chain(ev)
	return c.calledBy(sbclFamily.Calls...) && c.provenBy(&sbclFamily)
}

// isMuslStack reports whether the entries from i to j are a stack that musl mapped for thread t: without MAP_STACK,
// and with the thread's control block at its end. A mapping in which several threads started was made by the program
// itself.
func (v *view) isMuslStack(i, j int, ev *Event, t *Thread) bool {
	e := &v.Entries[i]
	return !ev.fixed() && e.Contains(t.TLS) && v.Entries[j-1].End-t.TLS < 64<<10 && !v.isLibc("glibc") && v.stacksIn(i, j) == 1
}

// stacksIn returns how many different stacks in the entries from i to j threads have started on. Threads that reuse a
// stack start at nearly the same address.
func (v *view) stacksIn(i, j int) int {
	const least = 16 << 10 // PTHREAD_STACK_MIN
	if v.tops == nil {
		v.tops = make([]uint64, len(v.Threads))
		for k := range v.Threads {
			v.tops[k] = v.Threads[k].SP
		}
		slices.Sort(v.tops)
	}
	tops := v.tops
	from, _ := slices.BinarySearch(tops, v.Entries[i].Start+1)
	to, _ := slices.BinarySearch(tops, v.Entries[j-1].End+1)
	n, last := 0, uint64(0)
	for _, top := range tops[from:to] {
		if n == 0 || top-last >= least {
			n, last = n+1, top
		}
	}
	return n
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
	ev := v.root(i)
	if ev != nil && mapped != "" {
		if by := v.thread(ev.TID, ev.T); by != nil {
			d.Evidence += " by thread " + threadText(by)
		}
	}
	var t *Thread
	guards := 0
	for k := i; k < j; k++ {
		if x := v.stackOwner(k); x != nil && (t == nil || x.End == 0 || t.End != 0) {
			t = x
		}
		if !accessible(&v.Entries[k]) {
			guards++
		}
	}
	// One row of the kernel's may be larger than the stack at its start: what lies above the thread's control block
	// belongs to something else.
	merged := t != nil && ev == nil && !(v.Entries[j-1].Contains(t.TLS) && v.Entries[j-1].End-t.TLS < 64<<10)
	small := v.Entries[j-1].End-v.Entries[i].Start <= 256<<10
	switch n := v.stacksIn(i, j); {
	case n > 1:
		d.name(Words{"pool of thread stacks", "pools of thread stacks"})
		d.Detail, d.Confidence = fmt.Sprintf("in which %d threads began", n), Likely
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
		if merged {
			d.Confidence, d.Evidence = Guess, "the thread's stack pointer lies in it"
		}
	case !v.ownStack(i):
		d.Confidence = Likely
	case small && v.smallStacks() <= len(v.Threads):
		d.Kind = SignalStack
		d.Evidence += ", not by the C library"
		if ev != nil {
			v.ownedBy(&d, ev)
		}
	default:
		d.Kind, d.Confidence = CoroutineStack, Likely
		d.Evidence += ", not by the C library, and no thread began in it"
		if guards > 1 {
			d.Kind = CoroutinePool
			d.Detail = fmt.Sprintf("with %d guards", guards)
		}
	}
	kind, name := d.Kind, d.Words()
	for k := i; k < j; k++ {
		d.Kind = kind
		d.name(name)
		// Between its mmap and its mprotect all of a stack is inaccessible.
		if !accessible(&v.Entries[k]) && guards < j-i {
			d.Kind = StackGuard
			d.name(Words{})
		}
		v.claim(k, d)
	}
}

// ownStack reports whether entry i is a stack that something other than the C library mapped, which maps those of
// threads: a small one is for signal handlers (Rust's library/std/src/sys/pal/unix/stack_overflow.rs), a larger one
// for coroutines (CRuby's cont.c). In a static program, code without a name from which thread stacks also come is the
// C library's.
func (v *view) ownStack(i int) bool {
	by := v.chain(v.root(i)).by()
	return by.module != "" && !by.in.IsLibc() && by.name != "allocate_stack" && by.name != "__pthread_create" && !v.makesThreads(v.root(i))
}

// makesThreads reports whether a thread started on a stack that was mapped through the same code as ev.
func (v *view) makesThreads(ev *Event) bool {
	if v.makers == nil {
		v.makers = map[int]*Event{}
		for i := range v.Entries {
			if x := v.root(i); x != nil && x.Flags&vm.MapStack != 0 && v.stackOwner(i) != nil {
				v.makers[x.Stack] = x
			}
		}
	}
	if ev == nil || v.makers[ev.Stack] != nil {
		return ev != nil
	}
	for _, x := range v.makers {
		if v.chain(ev).by().name == "" && v.sharedFrames(x, ev) > 1 {
			return true
		}
	}
	return false
}

// smallStacks returns how many small stacks something other than the C library has mapped. A thread has at most
// one for its signal handlers.
func (v *view) smallStacks() int {
	if v.small == 0 {
		seen := map[*Event]bool{}
		for i := range v.Entries {
			if ev := v.root(i); ev != nil && !seen[ev] && ev.anonymous() && ev.Flags&vm.MapStack != 0 && ev.Length <= 256<<10 && v.ownStack(i) {
				seen[ev] = true
			}
		}
		v.small = len(seen)
	}
	return v.small
}
