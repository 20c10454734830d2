package order

import (
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/vm"
)

func pages(from, to uint64) vm.Range {
	return vm.Range{Start: from * vm.PageSize, End: to * vm.PageSize}
}

// fakeSpace has one stretch of pages mapped.
type fakeSpace struct {
	mapped vm.Range
	brk    uint64
}

func (s *fakeSpace) Break() uint64           { return s.brk }
func (s *fakeSpace) Covered(r vm.Range) bool { return s.mapped.Covers(r) }

// newSpace has pages 10 to 20 mapped and its program break at page 100.
func newSpace() *fakeSpace { return &fakeSpace{pages(10, 20), 100 * vm.PageSize} }

// fakeClock stands still until it is told otherwise, and knows what is stuck and who was killed.
type fakeClock struct {
	now           time.Time
	asked         bool // whether a call is stuck
	stuck, killed map[*Call]bool
}

func newGate() (*Gate, *fakeClock) {
	c := &fakeClock{now: time.Unix(0, 0), stuck: map[*Call]bool{}, killed: map[*Call]bool{}}
	return NewGate(newSpace(), &Rules{
		Now:    func() time.Time { return c.now },
		Stuck:  func(call *Call, _ time.Duration) bool { c.asked = true; return c.stuck[call] },
		Killed: func(call *Call) bool { return c.killed[call] },
	}), c
}

func call(kind vm.OpKind, at vm.Range) vm.Op { return vm.Op{Kind: kind, Range: at} }

func fixedMap(at vm.Range) vm.Op {
	return vm.Op{Kind: vm.OpMap, Range: at, Fixed: true, Flags: vm.MapAnonymous}
}

func brkTo(page uint64) vm.Op { return vm.Op{Kind: vm.OpBrk, Addr: page * vm.PageSize} }

// classified returns the calls of some operations.
func classified(ops ...vm.Op) []*Call {
	calls := make([]*Call, len(ops))
	for i := range ops {
		calls[i] = new(Call)
		calls[i].Classify(&ops[i], false, newSpace())
	}
	return calls
}

// who names calls by their places in a list.
func who(list []*Call, c *Call) int {
	for i := range list {
		if list[i] == c {
			return i
		}
	}
	return -1
}

func TestConflicts(t *testing.T) {
	mmap := call(vm.OpMap, vm.Range{})
	grows := call(vm.OpProtect, pages(10, 11))
	grows.Prot = vm.ProtGrowsDown
	ofFile := fixedMap(pages(10, 12))
	ofFile.Flags = 0
	vfork := call(vm.OpClone, vm.Range{})
	vfork.CloneFlags = vm.CloneVM
	for _, c := range []struct {
		name  string
		a, b  vm.Op
		waits bool // b waits for a
	}{
		{"two mmaps", mmap, mmap, false},
		{"munmap of what is mapped, then mmap", call(vm.OpUnmap, pages(10, 12)), mmap, false},
		{"mmap, then munmap of what is mapped", mmap, call(vm.OpUnmap, pages(10, 12)), false},
		{"munmap over a hole, then mmap", call(vm.OpUnmap, pages(18, 22)), mmap, true},
		{"mmap, then munmap over a hole", mmap, call(vm.OpUnmap, pages(18, 22)), true},
		{"mmap, then mprotect over a hole", mmap, call(vm.OpProtect, pages(18, 22)), true},
		{"mmap, then MAP_FIXED beside", mmap, fixedMap(pages(30, 32)), true},
		{"MAP_FIXED beside, then mmap", fixedMap(pages(30, 32)), mmap, true},
		{"MAP_FIXED over pages, then mmap", fixedMap(pages(10, 12)), mmap, false},
		{"MAP_FIXED of a file over pages, then mmap", ofFile, mmap, true},
		{"mmap, then remap_file_pages", mmap, call(vm.OpRemapFile, pages(10, 11)), true},
		{"munmaps side by side", call(vm.OpUnmap, pages(10, 12)), call(vm.OpUnmap, pages(12, 14)), false},
		{"munmaps that overlap", call(vm.OpUnmap, pages(10, 13)), call(vm.OpUnmap, pages(12, 14)), true},
		{"mprotect and munmap of the same", call(vm.OpProtect, pages(10, 13)), call(vm.OpUnmap, pages(10, 13)), true},
		{"brk up, brk up", brkTo(110), brkTo(120), true},
		{"brk up, mmap", brkTo(110), mmap, false},
		{"brk up, MAP_FIXED in its way", brkTo(110), fixedMap(pages(105, 106)), true},
		{"mremap, then mmap", call(vm.OpRemap, pages(10, 11)), mmap, true},
		{"mmap, then mremap", mmap, call(vm.OpRemap, pages(10, 11)), true},
		{"fork, then munmap", call(vm.OpClone, vm.Range{}), call(vm.OpUnmap, pages(10, 11)), true},
		{"vfork, then munmap", vfork, call(vm.OpUnmap, pages(10, 11)), false},
		{"madvise, then anything", call(vm.OpAdvise, pages(10, 11)), call(vm.OpUnmap, pages(10, 11)), false},
		{"mprotect GROWSDOWN, then mmap", grows, mmap, true},
	} {
		var a, b Call
		a.Classify(&c.a, false, newSpace())
		b.Classify(&c.b, false, newSpace())
		for _, swap := range []bool{false, true} {
			g, clock := newGate()
			first, second := &a, &b
			if swap {
				first, second = second, first
			}
			if !g.Admit(first, false) {
				t.Errorf("%s: the first waits", c.name)
			}
			if got := !g.Admit(second, false); got != c.waits {
				t.Errorf("%s (the other way round: %v): waits %v", c.name, swap, got)
			}
			g.Release(first)
			if ready := g.Ready(); (ready == second) != c.waits {
				t.Errorf("%s (the other way round: %v): when the first has returned %v is ready", c.name, swap, ready)
			}
			g.Release(second)
			if !g.Quiet() || g.Waiting() || clock.asked {
				t.Errorf("%s: something is left over", c.name)
			}
		}
	}
}

// An i386 call conflicts with all others, except where it changes nothing.
func TestNarrowCalls(t *testing.T) {
	unmap, mmap, advise := call(vm.OpUnmap, pages(10, 11)), call(vm.OpMap, vm.Range{}), call(vm.OpAdvise, pages(10, 11))
	var a, b, c Call
	a.Classify(&unmap, true, newSpace())
	b.Classify(&mmap, false, newSpace())
	c.Classify(&advise, true, newSpace())
	if !a.Conflicts(&b) || !b.Conflicts(&a) || c.Conflicts(&a) || a.OnlyRemoves() {
		t.Error("a narrow call is taken for one of 64 bits")
	}
}

// What waits is let go in its order, and a later call does not overtake one that it conflicts with.
func TestWaitingIsFair(t *testing.T) {
	g, _ := newGate()
	calls := classified(call(vm.OpUnmap, pages(10, 12)), call(vm.OpRemap, pages(15, 16)), call(vm.OpUnmap, pages(18, 19)))
	for i, want := range []bool{true, false, false} {
		if g.Admit(calls[i], false) != want {
			t.Fatalf("call %d: admitted %v", i, !want)
		}
	}
	for i, want := range []int{1, 2, -1} {
		if g.Ready() != nil {
			t.Fatalf("call %d is overtaken", i)
		}
		g.Release(calls[i])
		if next := who(calls, g.Ready()); next != want {
			t.Fatalf("after call %d comes %d", i, next)
		}
	}
}

// A call that is stuck holds nobody any more; it and what goes beside it are uncertain, and nothing else is.
func TestStuck(t *testing.T) {
	g, clock := newGate()
	calls := classified(call(vm.OpUnmap, pages(10, 12)), call(vm.OpRemap, pages(15, 16)), call(vm.OpUnmap, pages(18, 19)),
		call(vm.OpMap, vm.Range{}))
	if !g.Admit(calls[0], false) || g.Admit(calls[1], false) {
		t.Fatal("mremap does not wait for munmap")
	}
	clock.stuck[calls[0]] = true
	clock.now = clock.now.Add(HoldBound - 1)
	if g.Overdue(); clock.asked || g.Ready() != nil {
		t.Fatal("a call is given up before its time")
	}
	clock.now = clock.now.Add(1)
	clock.stuck[calls[0]] = false
	if g.Overdue(); !clock.asked || g.Ready() != nil {
		t.Fatal("a call that is not stuck is given up")
	}
	clock.stuck[calls[0]] = true
	if g.Overdue(); g.Ready() != calls[1] || g.Ready() != nil {
		t.Fatal("mremap waits for a call that is stuck")
	}
	if !calls[0].Uncertain || !calls[1].Uncertain {
		t.Error("nothing says that the order is uncertain")
	}
	if g.Admit(calls[2], false) {
		t.Error("munmap does not wait for the mremap, which is not stuck")
	}
	g.Release(calls[1])
	if g.Ready() != calls[2] || calls[2].Uncertain {
		t.Error("munmap beside a stuck munmap of other pages is not to be doubted")
	}
	if !g.Admit(calls[3], false) || calls[3].Uncertain {
		t.Error("nor is an mmap beside it")
	}
}

// Who was killed while it waited is not let go, and keeps its place until it has ended.
func TestKilledWhileWaiting(t *testing.T) {
	g, clock := newGate()
	calls := classified(call(vm.OpRemap, pages(10, 12)), call(vm.OpUnmap, pages(10, 12)), call(vm.OpUnmap, pages(10, 12)))
	for _, c := range calls {
		g.Admit(c, false)
	}
	clock.killed[calls[1]] = true
	g.Release(calls[0])
	if g.Ready() != nil {
		t.Fatal("one goes that was killed, or that one that was killed holds")
	}
	g.Release(calls[1])
	if g.Ready() != calls[2] {
		t.Fatal("who waited for the killed one does not go")
	}
}

// A brk that waited is taken for what it is when it goes, not for what it was when it came.
func TestBrkIsClassifiedAnew(t *testing.T) {
	space := newSpace()
	g := NewGate(space, &Rules{Now: time.Now, Killed: func(*Call) bool { return false }})
	calls := classified(brkTo(120), brkTo(110))
	g.Admit(calls[0], false)
	g.Admit(calls[1], false)
	if calls[1].OnlyRemoves() {
		t.Fatal("brk up removes")
	}
	space.brk = 120 * vm.PageSize
	g.Release(calls[0])
	if g.Ready() != calls[1] || !calls[1].OnlyRemoves() || calls[1].At() != pages(110, 120) {
		t.Fatalf("brk down works on %v", calls[1].At())
	}

	// Where nobody knows the break any more nothing is known of the call.
	first, second := classified(call(vm.OpRemap, pages(10, 12)))[0], calls[1]
	op := brkTo(105)
	g.Release(second)
	second.Classify(&op, false, space)
	g.Admit(first, false)
	g.Admit(second, false)
	space.brk = 0
	g.Release(first)
	if g.Ready() != second || second.OnlyRemoves() || !second.At().Empty() {
		t.Fatalf("brk works on %v of an unknown break", second.At())
	}
}

// With one task only nobody waits, and with one call at a time everybody does.
func TestAloneAndOneAtATime(t *testing.T) {
	g, _ := newGate()
	calls := classified(call(vm.OpRemap, pages(10, 12)), call(vm.OpRemap, pages(10, 12)))
	if !g.Admit(calls[0], true) || !g.Admit(calls[1], true) || g.Quiet() {
		t.Error("who is alone waits")
	}
	g = NewGate(newSpace(), &Rules{Now: time.Now, OneAtATime: true})
	calls = classified(call(vm.OpMap, vm.Range{}), call(vm.OpMap, vm.Range{}), call(vm.OpAdvise, pages(1, 2)))
	if !g.Admit(calls[0], false) || g.Admit(calls[1], false) || !g.Admit(calls[2], false) {
		t.Error("two at a time")
	}
	if left := g.Abandon(); len(left) != 1 || left[0] != calls[1] || g.InFlight() != calls[0] || calls[1].Active() {
		t.Error("what has not begun is not given back")
	}
}

// What brk(0) answers is where the break is, unless another brk was in the kernel beside it or after it.
func TestBreakStood(t *testing.T) {
	g, _ := newGate()
	calls := classified(brkTo(0), brkTo(110), brkTo(0), brkTo(0))
	for _, c := range calls[:3] {
		g.Admit(c, false)
	}
	g.Release(calls[1])
	g.Admit(calls[3], false)
	for i, want := range []bool{false, false, false, true} {
		if i != 1 && g.BreakStood(calls[i]) != want {
			t.Errorf("brk(0) number %d: %v", i, !want)
		}
	}
}
