package mm

import (
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// What follows from the arguments is computed: the kernel is asked nothing.
func TestPlainCallsAskNothing(t *testing.T) {
	x := begin(t, "10-20 r-xp /bin/x")
	x.s.SetBreak(0x30 * vm.PageSize)
	x.k.asked = 0
	x.expect(x.call(anonymous(4), 0x100, ""), "100-104 - > rw-p of 1")
	x.expect(x.call(onRange(vm.OpUnmap, at(0x101, 0x102)), 0, ""), "101-102 rw-p of 1 > -")
	x.expect(x.call(protect(at(0x102, 0x103), vm.ProtRead), 0, ""), "102-103 rw-p of 1 > r--p of 1")
	x.expect(x.call(brk(0x34), 0x34, ""), "30-34 - > rw-p[heap] of 4")
	x.expect(x.call(brk(0x32), 0x32, ""), "32-34 rw-p[heap] of 4 > -")
	x.expect(x.call(fixedAt(at(0x103, 0x104), 0), 0x103, ""), "103-104 rw-p of 1 > -", "103-104 - > rw-p of 6")
	x.expect(x.fails(anonymous(4), syscall.ENOMEM, ""))
	careful := fixedAt(at(0x103, 0x104), vm.MapFixedNoReplace)
	careful.NoReplace = true
	x.expect(x.fails(careful, syscall.EEXIST, ""))
	if x.k.asked != 0 {
		t.Errorf("the kernel is asked %d times", x.k.asked)
	}
}

// A call that failed may have changed a part; a file mapping, a huge page, a named range are what the kernel says.
func TestKernelIsAsked(t *testing.T) {
	const exe = "10-20 r-xp 5/0 /bin/x\n"
	x := begin(t, exe)
	x.expect(x.call(anonymous(8), 0x100, exe+"100-108 rw-p"), "100-108 - > rw-p of 1")
	x.expect(x.fails(protect(at(0x100, 0x120), vm.ProtRead), syscall.ENOMEM, exe+"100-108 r--p"), "100-108 rw-p of 1 > r--p of 1")
	x.expect(x.fails(onRange(vm.OpUnmap, at(0x100, 0x104)), syscall.EPERM, exe+"100-108 r--p"))
	file := anonymous(2)
	file.Flags, file.Prot = vm.MapPrivate, vm.ProtRead
	x.expect(x.call(file, 0x200, exe+"100-108 r--p\n200-204 r--p 7/3 /lib/y"), "200-202 - > r--p/lib/y of 4")
	x.show(exe + "100-108 r--p\n200-202 r--p 7/3 /lib/y")
	x.settled()
	huge := anonymous(1)
	huge.Flags |= vm.MapHugeTLB
	const small = exe + "100-108 r--p\n200-202 r--p 7/3 /lib/y\n"
	x.expect(x.call(huge, 0x400, small+"400-600 rw-p 9/0 /anon_hugepage"), "400-600 - > rw-p/anon_hugepage of 5")
	x.settled()
	over := fixedAt(at(0x400, 0x401), vm.MapHugeTLB)
	x.s.RoundToPages(&over)
	if over.Range != at(0x400, 0x600) {
		t.Errorf("a huge page is %v", over.Range)
	}
	x.expect(x.call(onRange(vm.OpName, at(0x102, 0x104)), 0, small+"100-102 r--p\n102-104 r--p [anon:n]\n104-108 r--p"),
		"102-104 r--p of 1 > r--p[anon:n] of 1")
	x.k.silent = true
	x.expect(x.call(file, 0x700, ""), "700-702 - > r--p of 7", "unseen")
	if !x.s.Uncertain() {
		t.Error("nobody will look again")
	}
}

func TestRemap(t *testing.T) {
	x := begin(t, "10-20 r-xp 5/0 /bin/x")
	x.expect(x.call(anonymous(4), 0x100, "100-104 rw-p"), "100-104 - > rw-p of 1")
	x.expect(x.call(remap(at(0x100, 0x104), 6, 0), 0x100, "100-106 rw-p"), "104-106 - > rw-p of 2")
	x.expect(x.call(remap(at(0x100, 0x106), 5, 0), 0x100, "100-105 rw-p"), "105-106 rw-p of 2 > -")
	x.expect(x.call(remap(at(0x100, 0x104), 4, vm.RemapMayMove), 0x200, "104-105 rw-p\n200-204 rw-p"),
		"100-104 rw-p of 1 > -", "200-204 - > rw-p of 4 from 100")
	x.expect(x.call(remap(at(0x200, 0x204), 4, vm.RemapMayMove|vm.RemapDontUnmap), 0x300, "104-105 rw-p\n200-204 rw-p\n300-304 rw-p"),
		"300-304 - > rw-p of 5 from 200")
	x.expect(x.fails(remap(at(0x300, 0x304), 9, 0), syscall.ENOMEM, "104-105 rw-p\n200-204 rw-p\n300-304 rw-p"))
}

// What other kernels than 64-bit ones, and calls of System V and AIO, map and unmap.
func TestSharedMemoryAndRings(t *testing.T) {
	x := begin(t, "10-20 r-xp 5/0 /bin/x")
	const exe = "10-20 r-xp 5/0 /bin/x\n"
	shmat, shmdt := vm.Op{Kind: vm.OpShmAttach}, vm.Op{Kind: vm.OpShmDetach, Addr: 0x100 * vm.PageSize}
	x.expect(x.call(shmat, 0x100, exe+"100-108 rw-s 8/0 /SYSV0"), "100-108 - > rw-s/SYSV0 of 1")
	x.expect(x.call(onRange(vm.OpUnmap, at(0x102, 0x104)), 0, exe+"100-102 rw-s 8/0 /SYSV0\n104-108 rw-s 8/4 /SYSV0"), "102-104 rw-s/SYSV0 of 1 > -")
	x.expect(x.call(shmdt, 0, exe), "100-102 rw-s/SYSV0 of 1 > -", "104-108 rw-s/SYSV0 of 1 > -")
	setup, destroy := vm.Op{Kind: vm.OpAioSetup}, vm.Op{Kind: vm.OpAioDestroy, Addr: 0x200 * vm.PageSize}
	x.expect(x.call(setup, 0x200, exe+"200-201 rw-s 9/0 /[aio]\n201-202 rw-s 9/1 /[aio]"), "200-202 - > rw-s/[aio] of 4")
	x.expect(x.call(destroy, 0, exe), "200-202 rw-s/[aio] of 4 > -")
	shadow := vm.Op{Kind: vm.OpShadowStack, Len: 0x3800}
	x.expect(x.call(shadow, 0x300, exe+"300-310 rw-p"), "300-304 - > rw-p of 6")
}

func TestBreak(t *testing.T) {
	x := begin(t, "10-20 r-xp 5/0 /bin/x\n30-32 rw-p [heap]")
	if x.s.Break() != 0 {
		t.Fatal("the break is known before anybody told it")
	}
	x.expect(x.call(brk(0x34), 0x34, "10-20 r-xp 5/0 /bin/x\n30-34 rw-p [heap]"), "32-34 - > rw-p[heap] of 1")
	if x.s.Break() != 0x34*vm.PageSize {
		t.Errorf("the break is %#x", x.s.Break())
	}
	// Down from a place that nobody knows, past what has been made of the heap meanwhile.
	x.expect(x.call(protect(at(0x31, 0x32), vm.ProtRead), 0, "10-20 r-xp 5/0 /bin/x\n30-31 rw-p [heap]\n31-32 r--p [heap]\n32-34 rw-p [heap]"), "31-32 rw-p[heap] > r--p[heap]")
	x.s.SetBreak(0)
	x.expect(x.call(brk(0x31), 0x31, "10-20 r-xp 5/0 /bin/x\n30-31 rw-p [heap]"), "31-32 r--p[heap] > -", "32-34 rw-p[heap] of 1 > -")
	// Up, and another thread's madvise has made two rows of it already.
	x.s.SetBreak(0)
	x.expect(x.call(brk(0x35), 0x35, "10-20 r-xp 5/0 /bin/x\n30-33 rw-p [heap]\n33-35 rw-p [heap]"), "33-35 - > rw-p[heap] of 4", "31-33 - > rw-p[heap] of 4")

	x.s.SetBreak(0)
	op := brk(0x90)
	x.s.Apply(&op, Return{Event: 2, Value: 0x34 * vm.PageSize, Errno: syscall.ENOMEM}, nil)
	if x.s.Break() != 0x34*vm.PageSize {
		t.Error("a brk that fails tells where the break stays")
	}
	x.s.SetBreak(0)
	x.s.Apply(&op, Return{Event: 3, Value: ^uint64(0), Errno: syscall.EPERM}, nil)
	if x.s.Break() != 0 {
		t.Error("an error that a filter of the program returns is no break")
	}
}

func TestReadImpliesExec(t *testing.T) {
	x := begin(t, "10-20 r-xp 5/0 /bin/x")
	op := anonymous(1)
	x.expect(lines(x.s.Apply(&op, Return{Event: 1, Value: 0x100 * vm.PageSize, ReadImpliesExec: true}, nil)), "100-101 - > rwxp of 1")
}

// A space without a view takes all calls, and its ledger says what was asked for.
func TestBlind(t *testing.T) {
	for kind := vm.OpNone; kind <= vm.OpSetMM; kind++ {
		for _, e := range []syscall.Errno{0, syscall.ENOMEM} {
			s := Blind(2 << 20)
			op := vm.Op{Kind: kind, Range: at(1, 3), Addr: vm.PageSize, Len: 2 * vm.PageSize, NewLen: 4 * vm.PageSize, Target: at(5, 9)}
			s.GrowthBefore(&op)
			s.Apply(&op, Return{Event: 1, Value: 5 * vm.PageSize, Errno: e}, nil)
			if _, compared := s.Verify(""); compared {
				t.Errorf("%v: compared with nothing", kind)
			}
		}
	}
	if _, err := Load(noView{}, 2<<20, ledger.Origin{}); err == nil {
		t.Error("a space is loaded from nothing")
	}
}
