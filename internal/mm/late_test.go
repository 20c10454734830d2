package mm

import (
	"slices"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

// among applies a call after which the kernel has served others before it shows maps.
func (x *test) among(op vm.Op, ret Return, maps string, late ...Late) []string {
	x.Helper()
	x.show(maps)
	x.event++
	ret.Event = x.event
	return lines(x.s.ApplyAmong(&op, ret, late, nil))
}

func late(op vm.Op, value uint64) Late {
	return Late{Op: &op, Ret: Return{Value: value * vm.PageSize}}
}

// Where later calls have been, what they say of the time before counts, and not what the kernel shows.
func TestAmongLateCalls(t *testing.T) {
	const file = "10-20 r--p 7/0 /file\n"
	ofFile := fixedAt(at(0x10, 0x14), 0)
	ofFile.Flags &^= vm.MapAnonymous
	failed := Return{Errno: syscall.ENODEV}

	x := begin(t, file)
	x.expect(x.among(ofFile, failed, "12-14 rw-p\n14-20 r--p 7/4 /file\n", late(anonymous(2), 0x12)),
		"10-14 r--p/file > -") // the kernel has given away a part of the room that it made

	x = begin(t, file)
	x.expect(x.among(ofFile, failed, file, late(protect(at(0x10, 0x12), vm.ProtRead), 0))) // it could only be done to what is there

	x = begin(t, file)
	x.expect(x.among(ofFile, failed, "11-20 r--p 7/1 /file\n", late(onRange(vm.OpUnmap, at(0x10, 0x11)), 0)), "unseen")
	if x.s.Uncertain() {
		t.Error("whatever was there is gone now")
	}
	refused := Late{Op: &ofFile, Ret: failed}
	x.expect(x.among(ofFile, failed, "12-20 r--p 7/2 /file\n", refused), "unseen")
	if !x.s.Uncertain() {
		t.Error("which of two calls has removed it is not known")
	}

	x = begin(t, "10-20 rw-p\n") // an mprotect that failed half way before it is the only one that can have done this
	x.expect(x.among(fixedAt(at(0x10, 0x18), 0), Return{Errno: syscall.EPERM}, "10-12 r--p\n12-20 rw-p\n"), "10-12 rw-p > r--p", "unseen")
	if !x.s.Uncertain() {
		t.Error("whose it is is not known")
	}
	x = begin(t, "10-20 rw-p\n")
	x.expect(x.among(protect(at(0x10, 0x18), vm.ProtRead), Return{Errno: syscall.EPERM}, "12-20 rw-p\n"), "10-12 rw-p > -", "unseen")

	x = begin(t, "10-12 rw-p\n")
	x.expect(x.among(protect(at(0x10, 0x14), vm.ProtRead), Return{Errno: syscall.ENOMEM}, "", late(onRange(vm.OpUnmap, at(0x10, 0x12)), 0)),
		"10-12 rw-p > r--p")
}

// Where the break is not known, a brk may have mapped or removed anything around it.
func TestLateBreak(t *testing.T) {
	brk := func(b uint64) vm.Op { return vm.Op{Kind: vm.OpBrk, Addr: b * vm.PageSize} }
	const heap = "20-30 rw-p [heap]\n"
	x := begin(t, heap+"40-42 rw-p\n")
	if got := x.s.Asked(&vm.Op{Kind: vm.OpBrk, Addr: 0x30 * vm.PageSize}, Return{Value: 0x30 * vm.PageSize}); len(got) != 1 || got[0].End < 0x42*vm.PageSize {
		t.Errorf("asks for %v: another brk may map above", got)
	}
	// The second has removed more than is called heap: of a page there nobody knows who has removed it.
	x = begin(t, "20-2c rw-p [heap]\n2c-30 r--p\n")
	x.expect(x.among(protect(at(0x2a, 0x34), vm.ProtRead), Return{Errno: syscall.EACCES}, "20-28 rw-p [heap]\n", late(brk(0x28), 0x28)), "unseen")
}

// shmdt(2) leaves alone what is no segment, though it lies where one could.
func TestAttachedSegments(t *testing.T) {
	x := begin(t, "100-104 rw-s 7/0 /dev/zero (deleted)\n104-108 rw-s 8/4 /SYSV00000000 (deleted)\n")
	if got := x.s.Attached(0x100 * vm.PageSize); !slices.Equal(got, []vm.Range{at(0x104, 0x108)}) {
		t.Errorf("attached are %v", got)
	}
}

// A page of another shared object that a later mremap has put over a new mapping, at the same offset, is not taken for a part of it.
func TestOwnIsNotWhatCameLater(t *testing.T) {
	x := begin(t, "40-41 rw-s 4/0 /dev/zero (deleted)\n")
	shared := anonymous(2)
	shared.Flags = vm.MapShared | vm.MapAnonymous
	x.show("10-11 rw-s 4/0 /dev/zero (deleted)\n11-12 rw-s 9/1 /dev/zero (deleted)\n")
	ret := Return{Event: 1, Value: 0x10 * vm.PageSize}
	ret.Own, ret.Gone = x.s.Own(&shared, &ret, nil)
	over := remap(at(0x40, 0x41), 1, vm.RemapMayMove|vm.RemapFixed)
	over.Target = at(0x10, 0x11)
	if got := lines(x.s.ApplyAmong(&shared, ret, []Late{late(over, 0x10)}, nil)); !slices.Contains(got, "unseen") || !x.s.Uncertain() {
		t.Errorf("which object was mapped is told without doubt: %v", got)
	}

	x = begin(t, "") // one that lies elsewhere is no reason for doubt
	x.show("10-12 rw-s 9/0 /dev/zero (deleted)\n")
	ret.Own, ret.Gone = x.s.Own(&shared, &ret, nil)
	over.Target = at(0x20, 0x21)
	x.expect(lines(x.s.ApplyAmong(&shared, ret, []Late{late(over, 0x20)}, nil)), "10-12 - > rw-s/dev/zero (deleted) of 1")
}

// What a later call found free, behind a shmdt(2) that removed the new segment, is no end of that.
func TestOwnSegmentIsGivenUp(t *testing.T) {
	x := begin(t, "10-11 rw-s 8/0 /SYSV00000000 (deleted)\n")
	attach := vm.Op{Kind: vm.OpShmAttach, FD: 9, Addr: 0x10 * vm.PageSize, Flags: vm.ShmRemap}
	x.show("10-15 rw-s 9/0 /SYSV00000000 (deleted)\n")
	ret := Return{Event: 1, Value: 0x10 * vm.PageSize}
	ret.Own, ret.Gone = x.s.Own(&attach, &ret, nil)
	x.show("10-14 rw-p\n")
	behind := []Late{late(vm.Op{Kind: vm.OpShmDetach, Addr: 0x10 * vm.PageSize}, 0), late(anonymous(4), 0x10)}
	x.expect(lines(x.s.ApplyAmong(&attach, ret, behind, nil)), "10-11 rw-s/SYSV00000000 (deleted) > -", "10-15 - > rw-s/SYSV00000000 (deleted) of 1")
}

// A shmat(2) that makes room for itself and then fails leaves a hole.
func TestAttachFailsHalfWay(t *testing.T) {
	shmat := vm.Op{Kind: vm.OpShmAttach, Addr: 0x10 * vm.PageSize, Flags: vm.ShmRemap}
	x := begin(t, "10-18 rw-p\n18-1a r--p\n")
	x.expect(x.fails(shmat, syscall.EINVAL, "14-18 rw-p\n18-1a r--p\n"), "10-14 rw-p > -")
	shmat.Flags = 0 // it makes no room
	x = begin(t, "10-18 rw-p\n")
	x.expect(x.fails(shmat, syscall.EINVAL, "14-18 rw-p\n"))
	shmat.Flags = vm.ShmRemap
	x = begin(t, "10-18 rw-p\n")
	x.expect(x.among(shmat, Return{Errno: syscall.EINVAL}, "15-18 rw-p\n", late(onRange(vm.OpUnmap, at(0x12, 0x14)), 0)), "10-12 rw-p > -", "unseen")
	if !x.s.Uncertain() {
		t.Error("how far it reached is not known")
	}
}

// What stands above a heap whose end is not known is not the work of the brk that looks there: a stack may have grown.
func TestBreakBelowStack(t *testing.T) {
	x := begin(t, "20-22 rw-p [heap]\n40-48 rw-p [stack]\n")
	brk := vm.Op{Kind: vm.OpBrk, Addr: 0x24 * vm.PageSize}
	x.expect(x.call(brk, 0x24, "20-24 rw-p [heap]\n3f-40 r--p [stack]\n40-48 rw-p [stack]\n"), "22-24 - > rw-p[heap] of 1")
}

// A later shmdt(2) has removed what was left of its segment, which need not be all that the ledger has of it; of another segment at
// the same address it is not known.
func TestLateDetachOfWhatIsLeft(t *testing.T) {
	shmdt := vm.Op{Kind: vm.OpShmDetach, Addr: 0x10 * vm.PageSize}
	over := remap(at(0x40, 0x42), 2, vm.RemapMayMove|vm.RemapFixed)
	over.Target = at(0x0f, 0x11)
	x := begin(t, "10-13 rw-s 8/0 /SYSV00000000 (deleted)\n40-42 rw-p\n")
	x.expect(x.among(over, Return{Errno: syscall.ENOMEM}, "40-42 rw-p\n", late(shmdt, 0)), "unseen") // which of them has removed 10-11
	if x.s.Uncertain() {
		t.Error("it is gone in any case")
	}
	x = begin(t, "10-11 rw-s 8/0 /SYSV00000000 (deleted)\n11-13 rw-s 9/1 /SYSV00000000 (deleted)\n40-42 rw-p\n")
	over.Target = at(0x10, 0x12)
	x.expect(x.among(over, Return{Errno: syscall.ENOMEM}, "40-42 rw-p\n", late(shmdt, 0)), "unseen")
	if !x.s.Uncertain() {
		t.Error("whether the second has gone is not known")
	}
}

// How long a segment was before a later mremap(2) put more of it behind its end, the kernel's row does not tell.
func TestOwnSegmentGrowsLate(t *testing.T) {
	attach := vm.Op{Kind: vm.OpShmAttach, FD: 9}
	ret := Return{Event: 1, Value: 0x10 * vm.PageSize}
	cut := late(onRange(vm.OpUnmap, at(0x13, 0x17)), 0)
	for _, c := range []struct {
		to   uint64
		want []string
	}{{6, []string{"10-17 - > rw-s/SYSV00000000 (deleted) of 1", "unseen"}}, {1, []string{"10-17 - > rw-s/SYSV00000000 (deleted) of 1"}}} {
		x := begin(t, "")
		x.show("10-17 rw-s 9/0 /SYSV00000000 (deleted)\n")
		ret.Own, ret.Gone = x.s.Own(&attach, &ret, nil)
		x.expect(lines(x.s.ApplyAmong(&attach, ret, []Late{cut, late(remap(at(0x11, 0x13), c.to, 0), 0x11)}, nil)), c.want...)
	}
}

// A ring of io_setup(2) is told from what is left of another one by its first page, and its end at io_destroy(2) by nothing
// where later calls have been behind it.
func TestRingsAmongLateCalls(t *testing.T) {
	setup, destroy := vm.Op{Kind: vm.OpAioSetup}, vm.Op{Kind: vm.OpAioDestroy, Addr: 0x10 * vm.PageSize}
	x := begin(t, "12-13 rw-s 8/2 /[aio]\n")
	ret := Return{Event: 1, Value: 0x10 * vm.PageSize}
	x.show("10-11 rw-s 9/0 /[aio]\n12-13 rw-s 8/2 /[aio]\n")
	ret.Own, ret.Gone = x.s.Own(&setup, &ret, nil)
	x.expect(lines(x.s.ApplyAmong(&setup, ret, nil, nil)), "10-11 - > rw-s/[aio] of 1")

	x = begin(t, "")
	x.show("10-14 rw-s 9/0 /[aio]\n") // of the ring that came after it
	ret.Own, ret.Gone = x.s.Own(&setup, &ret, nil)
	x.expect(lines(x.s.ApplyAmong(&setup, ret, []Late{late(onRange(vm.OpUnmap, at(0x10, 0x14)), 0), late(setup, 0x10)}, nil)),
		"10-14 - > rw-s/[aio] of 1", "unseen")

	const parts = "10-11 rw-s 9/0 /[aio]\n11-13 r--s 9/1 /[aio]\n"
	x = begin(t, parts)
	x.expect(x.among(destroy, Return{}, "20-21 rw-p\n", late(anonymous(1), 0x20)), "10-11 rw-s/[aio] > -", "11-13 r--s/[aio] > -")
	x = begin(t, parts)
	x.expect(x.among(destroy, Return{}, "10-12 rw-p\n", late(anonymous(2), 0x10)), "10-11 rw-s/[aio] > -", "11-13 r--s/[aio] > -", "unseen")
	if !x.s.Uncertain() {
		t.Error("how long it was is not known")
	}
}

// A later io_destroy(2) may have removed what lies behind the first piece of its ring, so that nobody knows who did.
func TestLateDestroyOfMoreThanOnePiece(t *testing.T) {
	destroy := vm.Op{Kind: vm.OpAioDestroy, Addr: 0x10 * vm.PageSize}
	over := remap(at(0x40, 0x41), 1, vm.RemapMayMove|vm.RemapFixed)
	over.Target = at(0x12, 0x13)
	x := begin(t, "10-11 rw-s 9/0 /[aio]\n11-13 r--s 9/1 /[aio]\n40-41 rw-p\n")
	x.expect(x.among(over, Return{Errno: syscall.ENOMEM}, "40-41 rw-p\n", late(destroy, 0)), "unseen")
	if !x.s.Uncertain() {
		t.Error("which of the two has removed 12-13 is not known")
	}
}

// How far an mprotect came that failed, the kernel does not show where a later one has gone over it.
func TestFailedProtectUnderLateOne(t *testing.T) {
	x := begin(t, "10-20 rw-p\n")
	refused := Return{Errno: syscall.EACCES}
	x.expect(x.among(protect(at(0x10, 0x14), vm.ProtRead), refused, "10-14 r--p\n14-20 rw-p\n", late(protect(at(0x11, 0x14), vm.ProtRead), 0)), "10-11 rw-p > r--p", "unseen")
	x = begin(t, "10-20 rw-p\n")
	x.expect(x.among(protect(at(0x10, 0x14), vm.ProtRead), refused, "10-12 r--p\n12-20 rw-p\n", late(protect(at(0x18, 0x19), vm.ProtRead), 0)), "10-12 rw-p > r--p")
}

// What the removed room ends at is read with the rest, and not when others have been served: no other call is inside then.
func TestRoomIsAskedWhole(t *testing.T) {
	x := begin(t, "10-12 rw-s 9/0 /[aio]\n12-14 r--s 9/2 /[aio]\n20-22 rw-p\n")
	x.show("10-11 rw-p\n20-22 rw-p\n")
	destroy := vm.Op{Kind: vm.OpAioDestroy, Addr: 0x10 * vm.PageSize}
	shmat := vm.Op{Kind: vm.OpShmAttach, Addr: 0x10 * vm.PageSize, Flags: vm.ShmRemap}
	for _, asked := range [][]vm.Range{x.s.Asked(&destroy, Return{}), x.s.Asked(&shmat, Return{Errno: syscall.EINVAL})} {
		if len(asked) != 1 || !asked[0].Covers(at(0x10, 0x20)) {
			t.Errorf("asks for %v", asked)
		}
	}
}
