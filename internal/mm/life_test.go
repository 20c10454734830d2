package mm

import (
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

const stack = "f0-f8 rw-p [stack]\n"

// Growth of a stack is drift of its own, and comes before the change of the call that found it.
func TestGrowth(t *testing.T) {
	x := begin(t, stack)
	x.show("e8-f8 rw-p [stack]\n")
	x.expect(driftLines(x.s.NoticeGrowth()), "stack growth: e8-f0 - > rw-p[stack]")
	x.expect(driftLines(x.s.NoticeGrowth()))

	// mprotect found pages mapped that the ledger lacks.
	x.expect(x.call(protect(at(0xe0, 0xe4), vm.ProtRead), 0, "e0-e4 r--p [stack]\ne4-f8 rw-p [stack]"),
		"stack growth: e4-e8 - > rw-p[stack]", "unknown: e0-e4 - > r--p[stack]")

	// Neither a call that fails nor one that reaches to the mapping's beginning has made what has grown.
	y := begin(t, stack)
	y.expect(y.fails(protect(at(0xe0, 0xf8), vm.ProtRead), syscall.EACCES, "e8-f8 rw-p [stack]"),
		"stack growth: e8-f0 - > rw-p[stack]")
	y.expect(y.call(protect(at(0xf7, 0xf8), vm.ProtRead|vm.ProtGrowsDown), 0, "e0-f8 r--p [stack]"),
		"stack growth: e0-e8 - > r--p[stack]", "e8-f0 rw-p[stack] > r--p[stack]", "f0-f8 rw-p[stack] > r--p[stack]")

	// One that was made with MAP_GROWSDOWN carries the event that made it beside it.
	down := anonymous(2)
	down.Flags |= vm.MapGrowsDown
	const grown = "e0-e4 r--p [stack]\ne4-f8 rw-p [stack]\n"
	x.expect(x.call(down, 0x40, "40-42 rw-p\n"+grown), "40-42 - > rw-p of 2")
	x.show("38-42 rw-p\n" + grown)
	unmap := onRange(vm.OpUnmap, at(0x40, 0x42))
	x.expect(driftLines(x.s.GrowthBefore(&unmap)), "stack growth: 38-40 - > rw-p beside 2")
	x.expect(x.call(unmap, 0, "38-40 rw-p\n"+grown), "40-42 rw-p of 2 > -")
}

func TestVerify(t *testing.T) {
	x := begin(t, stack)
	x.settled()
	x.s.SetBreak(0x30 * vm.PageSize)
	x.s.MarkUncertain()
	x.show(stack + "100-104 rw-p")
	drifts, compared := x.s.Verify("uncertain order")
	x.expect(driftLines(drifts), "uncertain order: 100-104 - > rw-p")
	if !compared || x.s.Uncertain() || x.s.Break() != 0 {
		t.Error("it is still uncertain, or sure of where the break is")
	}
	x.settled()
	x.show("e8-f8 rw-p [stack]\n100-104 rw-p\n200-201 --xp [uprobes]")
	drifts, _ = x.s.Verify("")
	x.expect(driftLines(drifts), "stack growth: e8-f0 - > rw-p[stack]", "uprobe: 200-201 - > --xp[uprobes]")
	x.show("e8-f8 rw-p [stack]\n100-104 rw-p")
	x.s.Verify("")
	x.show("e8-f8 rw-p [stack]\n300-304 rw-s 9/0 /dev/dri/card0")
	drifts, _ = x.s.Verify("")
	x.expect(driftLines(drifts), "driver ioctl: 100-104 rw-p > -", "driver ioctl: 300-304 - > rw-s/dev/dri/card0")
	x.k.silent = true
	if _, compared := x.s.Verify(""); compared {
		t.Error("compared with silence")
	}
}

// A removal that is taken before the kernel does it can be put back, origins and all, and the kernel says
// whether it must be.
func TestEarlyRemoval(t *testing.T) {
	x := begin(t, "10-20 rw-p")
	x.expect(x.call(fixedAt(at(0x14, 0x16), 0), 0x14, "10-20 rw-p"), "14-16 rw-p > -", "14-16 - > rw-p of 1")
	taken := x.s.RemoveEarly(at(0x12, 0x18), nil)
	if x.s.Covered(at(0x12, 0x13)) || !x.s.StillThere(taken) {
		t.Error("it is not taken, or the kernel does not have it any more")
	}
	x.show("10-12 rw-p\n18-20 rw-p")
	if x.s.StillThere(taken) || x.s.StillThere(nil) {
		t.Error("what is gone is still there")
	}
	x.show("10-14 rw-p\n16-20 rw-p")
	if x.s.StillThere(taken) {
		t.Error("a half counts for the whole")
	}
	x.show("10-20 rw-p")
	x.s.PutBack(taken)
	x.settled()
	if e, _ := x.s.Ledger().At(at(0x15, 0x16).Start); e.Origin.Event != 1 || e.Range != at(0x14, 0x16) {
		t.Errorf("it came back as %v", e)
	}
}

// A fork has what its parent had, less what the kernel leaves out, and goes its own way.
func TestFork(t *testing.T) {
	x := begin(t, stack+"100-104 rw-p")
	x.s.SetBreak(0x30 * vm.PageSize)
	child := x.s.Fork()
	var kernel test
	kernel.T = t
	kernel.show(stack)
	if changes := child.Attach(&kernel.k); len(changes) != 1 || changeLine(changes[0]) != "100-104 rw-p > -" {
		t.Errorf("the child differs in %v", changes)
	}
	if child.Break() != x.s.Break() || child.Covered(at(0x100, 0x104)) || !x.s.Covered(at(0x100, 0x104)) {
		t.Error("parent and child are one")
	}
	kernel.show("e8-f8 rw-p [stack]")
	if drifts := child.NoticeGrowth(); len(drifts) != 1 {
		t.Error("the child's stack does not grow")
	}
	child.Detach()
	if _, compared := child.Verify(""); compared {
		t.Error("a space that has ended is compared")
	}
}
