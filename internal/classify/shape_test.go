package classify

import (
	"fmt"
	"testing"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// attached is the origin of what was there when the recording began.
var attached = ledger.Origin{Cause: ledger.BeforeAttach}

// TestArenaBelowReservation: an arena lies where the kernel had room, below what a database reserves.
func TestArenaBelowReservation(t *testing.T) {
	b := newBuild(t)
	b.entryOf(GlibcArena, "760000000000-760000021000 rw-p", attached)
	b.entryOf(GlibcArena, "760000021000-760004000000 ---p", attached)
	oneGroup(t, b.check(), 0, 2)
}

// TestGoNeedsGo: a mapping where Go would have its heap is none in a program without Go.
func TestGoNeedsGo(t *testing.T) {
	const heap, more = "c000000000-c000400000 rw-p", "c000400000-c004000000 ---p"
	b := newBuild(t)
	b.entryOf(Unknown, heap, attached)
	b.entryOf(Unknown, more, attached)
	b.check()
	b = newBuild(t)
	b.entryOf(GoHeap, heap, attached)
	b.entryOf(GoHeap, more, attached)
	b.entry(GoOwn, "7f0000000000-7f0000040000 rw-p", b.event(Event{Length: 256 << 10, Prot: rw, Flags: private, Stack: b.stack("runtime.sysMmap", "runtime.mmap", "runtime.sysAllocOS", "runtime.persistentalloc1")}))
	b.check()
}

// TestUnnamedV8: of what V8 reserves, only what is executable in part is for code; what is trimmed to a multiple of
// itself is a cage.
func TestUnnamedV8(t *testing.T) {
	b := newBuild(t)
	s := b.stack("mmap64"+libc, "@/usr/bin/node", "@/usr/bin/node")
	reserve := func(n uint64) *Event { return b.event(Event{Length: n, Flags: noAccess, Stack: s}) }
	code, table, cage, wasm := reserve(128<<20), reserve(512<<20), reserve(8<<30), reserve(10<<30)
	b.entry(V8Code, "100000000000-100001000000 r-xp", code)
	b.entry(V8Code, "100001000000-100008000000 ---p", code)
	b.entry(V8Cage, "110000000000-110000010000 rw-p", table)
	b.entry(V8Cage, "110000010000-110020000000 ---p", table)
	b.entry(V8Cage, "120000000000-120000010000 rw-p", cage)
	b.entry(V8Cage, "120000010000-120100000000 ---p", cage)
	b.entry(Wasm, "130000000000-130280000000 ---p", wasm)
	b.check()
}

// TestUnnamedChromium: what a Chromium without symbols reserves is known by length and place, the records of the pools
// below these, too, and no other is.
func TestUnnamedChromium(t *testing.T) {
	b := newBuild(t)
	s := b.stack("mmap64"+libc, "@/usr/bin/node", "@/usr/bin/node")
	reserve := func(n uint64) *Event { return b.event(Event{Length: n, Flags: private, Stack: s}) }
	records, pools, heap, sandbox, code, other := reserve(paPool), reserve(2*paPool), reserve(2*paPool), reserve(v8Sandboxed+paPool), reserve(128<<20), reserve(128<<20)
	b.entry(PartitionAlloc, "100000000000-100400000000 ---p", records)
	b.entry(PartitionAlloc, "110000000000-110000010000 rw-p", pools)
	b.entry(PartitionAlloc, "110000010000-110800000000 ---p", pools)
	b.entry(V8Heap, "120400000000-120400010000 rw-p", heap)
	b.entry(V8Heap, "120400010000-120800000000 ---p", heap)
	b.entry(V8Cage, "130000000000-140000000000 ---p", sandbox)
	b.entry(V8Code, "150000000000-150000010000 rw-p", code)
	b.entry(V8Code, "150000010000-150000020000 r-xp", code)
	b.entry(V8Code, "150000020000-150008000000 ---p", code)
	for at := uint64(0x160000000000); at < 0x160000008000; at += 8192 {
		b.entry(Reserved, fmt.Sprintf("%x-%x ---p", at, at+4096), other)
		b.entry(Direct, fmt.Sprintf("%x-%x rw-p", at+4096, at+8192), other)
	}
	b.check()
}

// TestNotOfJVM: in a process that has loaded libjvm.so, reservations made by other code are not attributed to the
// JVM.
func TestNotOfJVM(t *testing.T) {
	b := newBuild(t)
	b.entry(ELFText, "7f0010000000-7f0011000000 r-xp 0 fe:00 9 /usr/lib/jvm/lib/server/libjvm.so", nil)
	b.entryOf(Unknown, "7f0020000000-7f0020400000 ---p", attached)
	b.entry(Unknown, "7f0030000000-7f0030008000 rw-p", b.event(Event{Length: 32 << 10, Prot: rw, Flags: private | vm.MapNoReserve}))
	b.check()
}
