package classify

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// build makes a Space by hand.
type build struct {
	t      testing.TB
	s      Space
	events map[uint64]*Event
	stacks [][]string
	want   []Kind
}

func newBuild(t testing.TB) *build {
	b := &build{t: t, events: map[uint64]*Event{}}
	b.s = Space{
		PID: 100, Exe: "/bin/prog",
		Event: func(seq uint64) *Event { return b.events[seq] },
		Frames: func(id int, yield func(callers.Call) bool) {
			for _, f := range b.stacks[id-1] {
				function, module, _ := strings.Cut(f, "@")
				if module == "" {
					module = "/bin/prog"
				}
				if !yield(callers.Call{Function: function, Module: callers.Named(module)}) {
					return
				}
			}
		},
		Threads: []Thread{{TID: 100, PID: 100, Name: "prog", SP: 0x7ffff0000800}},
	}
	return b
}

// stack adds a call stack, "function@module" innermost first, and returns its id.
func (b *build) stack(frames ...string) int {
	b.stacks = append(b.stacks, frames)
	return len(b.stacks)
}

const libc = "@/lib/x86_64-linux-gnu/libc.so.6"

// event adds an event; its seq is the next.
func (b *build) event(e Event) *Event {
	e.Seq = uint64(len(b.events)) + 1
	if e.Call == "" {
		e.Call = "mmap"
	}
	if e.TID == 0 {
		e.PID, e.TID = 100, 100
	}
	b.events[e.Seq] = &e
	return &e
}

// entry adds a row of /proc/PID/maps that e made (nil: the kernel at exec), of the kind wanted.
func (b *build) entry(want Kind, row string, e *Event) {
	b.t.Helper()
	o := ledger.Origin{Cause: ledger.Kernel}
	if e != nil {
		o = ledger.Origin{Event: e.Seq}
	}
	b.entryOf(want, row, o)
}

func (b *build) entryOf(want Kind, row string, o ledger.Origin) {
	b.t.Helper()
	if strings.Count(row, " ") < 4 {
		row += " 0 00:00 0"
	}
	rows, err := vm.ParseMaps(nil, []byte(row+"\n"))
	if err != nil || len(rows) != 1 {
		b.t.Fatalf("%s: %v", row, err)
	}
	b.s.Entries = append(b.s.Entries, ledger.Entry{Mapping: rows[0], Origin: o})
	b.want = append(b.want, want)
}

// check classifies and compares kinds.
func (b *build) check() []Verdict {
	b.t.Helper()
	out := Known().Classify(&b.s)
	for i := range out {
		if out[i].Kind != b.want[i] {
			b.t.Errorf("%v: %s (%s: %s), want %s", b.s.Entries[i], out[i].Kind, out[i].Confidence, out[i].Evidence, b.want[i])
		}
	}
	checkSound(b.t, &b.s, out)
	return out
}

const (
	rw       = vm.ProtRead | vm.ProtWrite
	private  = vm.MapPrivate | vm.MapAnonymous
	noAccess = private | vm.MapNoReserve
)

// oneGroup tells that the entries from i to j are parts of one thing and no other entry is.
func oneGroup(t *testing.T, out []Verdict, i, j int) {
	t.Helper()
	for k := range out {
		if inside := i <= k && k < j; (out[k].Group == out[i].Group) != inside {
			t.Errorf("entry %d is of group %d, entry %d of group %d", k, out[k].Group, i, out[i].Group)
		}
	}
}

func TestArenaOfThread(t *testing.T) {
	for _, c := range []struct {
		what       string
		frames     []string
		length     uint64
		confidence Confidence
		want       Kind
	}{
		{"with symbols", []string{"mmap64" + libc, "new_heap" + libc, "malloc" + libc, "fopen" + libc, "work"}, 128 << 20, Certain, GlibcArena},
		{"stripped", []string{libc, libc, libc, "malloc" + libc, "fopen" + libc, "work"}, 128 << 20, Certain, GlibcArena},
		{"at the hint", []string{libc, libc, libc, "malloc" + libc, "work"}, 64 << 20, Certain, GlibcArena},
		{"without a stack", nil, 128 << 20, Guess, GlibcArena},
		{"static and stripped", []string{"", "", ""}, 128 << 20, Guess, GlibcArena},
		{"static and stripped, not trimmed", []string{"", "", ""}, 64 << 20, Likely, Direct},
		{"somebody else's pool", []string{"mmap64" + libc, "Pool::reserve"}, 64 << 20, Likely, Direct},
		{"another size", []string{libc, libc, "malloc" + libc}, 32 << 20, Likely, Direct},
	} {
		t.Run(c.what, func(t *testing.T) {
			b := newBuild(t)
			b.s.Threads = append(b.s.Threads, Thread{TID: 138, PID: 100, Name: "worker", Start: 5})
			e := Event{Length: c.length, Flags: noAccess, Result: 0x7f0001000000, TID: 138, PID: 100, T: 10}
			if c.frames != nil {
				e.Stack = b.stack(c.frames...)
			}
			ev := b.event(e)
			rest := c.want
			if rest == Direct {
				rest = Reserved
			}
			b.entry(c.want, "7f0004000000-7f0004021000 rw-p", ev)
			b.entry(rest, "7f0004021000-7f0008000000 ---p", ev)
			out := b.check()
			if c.want != GlibcArena {
				return
			}
			oneGroup(t, out, 0, 2)
			for i := range out {
				if out[i].TID != 138 || out[i].Detail != "of thread 138 worker" || out[i].Confidence != c.confidence {
					t.Errorf("%+v", out[i])
				}
			}
		})
	}
}

// TestArenaGrown has two heaps side by side, one grown to its end and one shrunk with a new mapping.
func TestArenaGrown(t *testing.T) {
	b := newBuild(t)
	s := b.stack("mmap64"+libc, "new_heap"+libc, "sysmalloc"+libc, "malloc"+libc, "work")
	a := b.event(Event{Length: 128 << 20, Flags: noAccess, Stack: s})
	full := b.event(Event{Addr: 0x7f0008000000, Length: 64 << 20, Flags: noAccess, Stack: s})
	shrunk := b.event(Event{Addr: 0x7f0004100000, Length: 0x3f00000, Flags: private | vm.MapFixed, Stack: s, Over: a})
	b.entry(GlibcArena, "7f0004000000-7f0004100000 rw-p", a)
	b.entry(GlibcArena, "7f0004100000-7f0008000000 ---p", shrunk)
	b.entry(GlibcArena, "7f0008000000-7f000c000000 rw-p", full)
	out := b.check()
	oneGroup(t, out, 0, 2)
	oneGroup(t, out, 2, 3)
}

// TestArenaInTheMaking is one between its mmap, its munmaps and its mprotect.
func TestArenaInTheMaking(t *testing.T) {
	for _, frames := range [][]string{{"mmap64" + libc, "alloc_new_heap" + libc, "malloc" + libc}, {libc, libc, "malloc" + libc, "work"}, nil} {
		b := newBuild(t)
		e := Event{Length: 128 << 20, Flags: noAccess}
		if frames != nil {
			e.Stack = b.stack(frames...)
		}
		whole, cut, kept := b.event(e), b.event(e), b.event(e)
		b.entry(GlibcArena, "7f0001000000-7f0009000000 ---p", whole)
		b.entry(GlibcArena, "7f0010000000-7f0017000000 ---p", cut)
		b.entry(GlibcArena, "7f0020000000-7f0024000000 ---p", kept)
		b.check()
	}
	b := newBuild(t)
	huge := b.event(Event{Length: 8 << 20, Flags: noAccess | vm.MapHugeTLB, Stack: b.stack("mmap64"+libc, "alloc_new_heap"+libc, "malloc"+libc)})
	b.entry(GlibcArena, "7f0001000000-7f0001200000 rw-p", huge)
	b.entry(GlibcArena, "7f0001200000-7f0001800000 ---p", huge)
	oneGroup(t, b.check(), 0, 2)
	b = newBuild(t)
	b.entry(Reserved, "7f0001000000-7f0009000000 ---p", b.event(Event{Length: 128 << 20, Flags: noAccess, Stack: b.stack("mmap64"+libc, "Pool::reserve")}))
	b.check()
}

func TestThreadStacks(t *testing.T) {
	b := newBuild(t)
	s := b.stack("mmap64"+libc, "allocate_stack"+libc, "pthread_create"+libc, "main")
	alloc := func() *Event {
		return b.event(Event{Length: 0x801000, Flags: private | vm.MapStack | vm.MapNoReserve, Stack: s, T: 10})
	}
	first, second, bare := alloc(), alloc(), b.event(Event{Length: 0x800000, Prot: rw, Flags: private | vm.MapStack, Stack: s})
	unused := alloc()
	b.s.Threads = append(b.s.Threads,
		Thread{TID: 101, PID: 100, Name: "old", SP: 0x7f0000801000 - 0x100, TLS: 0x7f0000801000 - 0x900, Start: 11, End: 20},
		Thread{TID: 102, PID: 100, Name: "other", SP: 0x7f0001002000 - 0x100, Start: 12},
		// The stack of 101 once more, without a call.
		Thread{TID: 103, PID: 100, Name: "new", SP: 0x7f0000801000 - 0x200, Start: 30},
		Thread{TID: 104, PID: 100, Name: "glibc 2.42", SP: 0x7f0001802000, Start: 31},
	)
	b.entry(StackGuard, "7f0000000000-7f0000001000 ---p", first)
	b.entry(ThreadStack, "7f0000001000-7f0000801000 rw-p", first)
	b.entry(StackGuard, "7f0000801000-7f0000802000 ---p", second)
	b.entry(ThreadStack, "7f0000802000-7f0001002000 rw-p", second)
	b.entry(ThreadStack, "7f0001002000-7f0001802000 rw-p", bare)
	b.entry(StackGuard, "7f0001900000-7f0001901000 ---p", unused)
	b.entry(ThreadStack, "7f0001901000-7f0002101000 rw-p", unused)
	b.entry(MainStack, "7ffff0000000-7ffff0021000 rw-p 0 00:00 0 [stack]", nil)
	out := b.check()
	oneGroup(t, out, 0, 2)
	oneGroup(t, out, 2, 4)
	oneGroup(t, out, 5, 7)
	for i, want := range []struct {
		tid        int
		detail     string
		confidence Confidence
	}{
		1: {103, "of thread 103 new", Certain}, 3: {102, "of thread 102 other", Certain}, 4: {104, "of thread 104 glibc 2.42", Certain},
		6: {0, "", Likely}, 7: {100, "", Certain},
	} {
		if want.confidence != "" && (out[i].TID != want.tid || out[i].Detail != want.detail || out[i].Confidence != want.confidence) {
			t.Errorf("entry %d: %+v", i, out[i])
		}
	}
	if want := "mmap with MAP_STACK by thread 100 prog; the thread began in it"; out[1].Evidence != want {
		t.Errorf("evidence %q", out[1].Evidence)
	}
}

// TestEndedThread keeps the stack of a thread that is gone apart from that of one that lives.
func TestEndedThread(t *testing.T) {
	b := newBuild(t)
	ev := b.event(Event{Length: 0x11000, Flags: private | vm.MapStack})
	b.s.Threads = append(b.s.Threads, Thread{TID: 101, PID: 100, Name: "gone", SP: 0x7f0000010ff0, Start: 1, End: 2})
	later := b.event(Event{Call: "brk", T: 3})
	b.entry(Heap, "555555009000-55555502a000 rw-p 0 00:00 0 [heap]", later)
	b.entry(StackGuard, "7f0000000000-7f0000001000 ---p", ev)
	b.entry(ThreadStack, "7f0000001000-7f0000011000 rw-p", ev)
	if out := b.check(); out[2].Detail != "of thread 101 gone, ended" {
		t.Errorf("%+v", out[2])
	}
	// At the end of the process nothing comes after the ends of its threads.
	later.T = 1
	if out := b.check(); out[2].Detail != "of thread 101 gone" {
		t.Errorf("%+v", out[2])
	}
}

// TestMuslStack has no MAP_STACK; TLS and stack pointer tell.
func TestMuslStack(t *testing.T) {
	b := newBuild(t)
	ev := b.event(Event{Length: 0x23000, Flags: private, Stack: b.stack("mmap@/lib/ld-musl-x86_64.so.1", "pthread_create@/lib/ld-musl-x86_64.so.1", "main")})
	b.s.Threads = append(b.s.Threads, Thread{TID: 101, PID: 100, SP: 0x7f0000022000, TLS: 0x7f0000022c00})
	b.entry(StackGuard, "7f0000000000-7f0000002000 ---p", ev)
	b.entry(ThreadStack, "7f0000002000-7f0000023000 rw-p", ev)
	if out := b.check(); out[1].TID != 101 || out[0].Group != out[1].Group {
		t.Errorf("%+v", out)
	}
}

func TestSignalStack(t *testing.T) {
	b := newBuild(t)
	ev := b.event(Event{Length: 0x3000, Prot: rw, Flags: private | vm.MapStack, Stack: b.stack("mmap64"+libc, "std::sys::pal::unix::stack_overflow::imp::get_stack", "main")})
	b.entry(StackGuard, "7f0000000000-7f0000001000 ---p", ev)
	b.entry(SignalStack, "7f0000001000-7f0000003000 rw-p", ev)
	b.check()
}

// TestCoroutines: stacks that no thread began on are no threads', those of a static program without names
// are where other code maps none.
func TestCoroutines(t *testing.T) {
	b := newBuild(t)
	fiber, pool := b.stack("mmap64"+libc, "fiber_stack@/bin/prog", "main@/bin/prog"), b.stack("mmap64"+libc, "pool_new@/bin/prog", "main@/bin/prog")
	at := uint64(0x7f0000000000)
	b.s.Threads = append(b.s.Threads, Thread{TID: 100, PID: 100, SP: 0x7ffff0000000})
	for _, size := range []uint64{2 << 20, 64 << 10, 64 << 10, 64 << 10, 64 << 10} {
		ev := b.event(Event{Length: size, Prot: rw, Flags: private | vm.MapStack, Stack: fiber})
		b.entry(StackGuard, fmt.Sprintf("%x-%x ---p", at, at+0x1000), ev)
		b.entry(CoroutineStack, fmt.Sprintf("%x-%x rw-p", at+0x1000, at+size), ev)
		at += 16 << 20
	}
	ev := b.event(Event{Length: 0x40000, Prot: rw, Flags: private | vm.MapStack, Stack: pool})
	b.entry(StackGuard, "7f00f0000000-7f00f0001000 ---p", ev)
	b.entry(CoroutinePool, "7f00f0001000-7f00f0020000 rw-p", ev)
	b.entry(StackGuard, "7f00f0020000-7f00f0021000 ---p", ev)
	b.entry(CoroutinePool, "7f00f0021000-7f00f0040000 rw-p", ev)
	// Memory of the program's for the stacks of two threads (pthread_attr_setstack) is not one stack.
	b.s.Threads = append(b.s.Threads, Thread{TID: 101, PID: 100, SP: 0x7f01000ffe00, TLS: 0x7f01000fff00}, Thread{TID: 102, PID: 100, SP: 0x7f01001ffe00, TLS: 0x7f01001fff00})
	b.entry(Direct, "7f0100000000-7f0100200000 rw-p", b.event(Event{Length: 2 << 20, Prot: rw, Flags: private, Stack: pool}))
	out := b.check()
	oneGroup(t, out, len(out)-5, len(out)-1)
}

// TestStackInTheMaking: between its mmap and its mprotect a stack is no guard of 8 MiB.
func TestStackInTheMaking(t *testing.T) {
	b := newBuild(t)
	b.entry(ThreadStack, "7f0000000000-7f0000801000 ---p", b.event(Event{Length: 0x801000, Flags: private | vm.MapStack, Stack: b.stack("mmap64"+libc, "allocate_stack"+libc)}))
	b.check()
}

// TestStaticThreads: stacks in a static program without names are threads' where the same code maps them on
// which threads begin.
func TestStaticThreads(t *testing.T) {
	b := newBuild(t)
	b.s.Exe = "/bin/static"
	s := b.stack("@/bin/static", "@/bin/static", "@/bin/static")
	b.s.Threads = append(b.s.Threads, Thread{TID: 101, PID: 100, SP: 0x7f00007ffff0})
	for _, at := range []uint64{0x7f0000000000, 0x7f0001000000} {
		b.entry(ThreadStack, fmt.Sprintf("%x-%x rw-p", at, at+8<<20), b.event(Event{Length: 8 << 20, Prot: rw, Flags: private | vm.MapStack, Stack: s}))
	}
	b.check()
}

// TestStackGuardsInside is a Java thread: the virtual machine maps guard pages over the stack's end.
func TestStackGuardsInside(t *testing.T) {
	b := newBuild(t)
	stack := b.event(Event{Length: 0x100000, Prot: rw, Flags: private | vm.MapStack, Stack: b.stack("mmap64"+libc, "allocate_stack"+libc)})
	zone := b.event(Event{Addr: 0x7f0000000000, Length: 0x4000, Prot: rw, Flags: noAccess | vm.MapFixed, Over: stack,
		Stack: b.stack("mmap64"+libc, "os::pd_commit_memory(char*, unsigned long, bool)@libjvm.so")})
	b.s.Threads = append(b.s.Threads, Thread{TID: 101, PID: 100, SP: 0x7f00000fff00})
	b.entry(StackGuard, "7f0000000000-7f0000004000 ---p", zone)
	b.entry(ThreadStack, "7f0000004000-7f0000100000 rw-p", stack)
	oneGroup(t, b.check(), 0, 2)
}

func TestELFImages(t *testing.T) {
	b := newBuild(t)
	load := b.stack("mmap64@/lib64/ld-linux-x86-64.so.2", "_dl_map_segments@/lib64/ld-linux-x86-64.so.2", "dl_main@/lib64/ld-linux-x86-64.so.2")
	seg := func(over *Event, prot, flags uint64) *Event {
		return b.event(Event{Prot: prot, Flags: vm.MapPrivate | flags, Stack: load, Over: over})
	}
	// The program, by the kernel; its relro has been protected since.
	b.entry(ELFRodata, "555555000000-555555001000 r--p 00000000 fe:00 1 /bin/prog", nil)
	b.entry(ELFText, "555555001000-555555002000 r-xp 00001000 fe:00 1 /bin/prog", nil)
	b.entry(ELFRodata, "555555002000-555555003000 r--p 00002000 fe:00 1 /bin/prog", nil)
	b.entry(ELFRelro, "555555003000-555555004000 r--p 00002000 fe:00 1 /bin/prog", nil)
	b.entry(ELFData, "555555004000-555555005000 rw-p 00003000 fe:00 1 /bin/prog", nil)
	b.entry(ELFBSS, "555555005000-555555009000 rw-p 0 00:00 0 [heap]", nil)
	b.entry(Heap, "555555009000-55555502a000 rw-p 0 00:00 0 [heap]", b.event(Event{Call: "brk", Addr: 0x55555502a000}))
	// A library, by the loader.
	first := seg(nil, vm.ProtRead, 0)
	b.entry(ELFRodata, "7f0000000000-7f0000010000 r--p 00000000 fe:00 2 /lib/libx.so", first)
	b.entry(ELFText, "7f0000010000-7f0000020000 r-xp 00010000 fe:00 2 /lib/libx.so", seg(first, vm.ProtRead|vm.ProtExec, vm.MapFixed))
	data := seg(first, rw, vm.MapFixed)
	b.entry(ELFRelro, "7f0000020000-7f0000021000 r--p 00020000 fe:00 2 /lib/libx.so", data)
	b.entry(ELFData, "7f0000021000-7f0000022000 rw-p 00021000 fe:00 2 /lib/libx.so", data)
	b.entry(ELFBSS, "7f0000022000-7f0000032000 rw-p", seg(first, rw, vm.MapFixed|vm.MapAnonymous))
	// Beside it, what the loader allocates; then the same library once more (dlmopen), and one with a hole.
	b.entry(Loader, "7f0000032000-7f0000034000 rw-p", b.event(Event{Length: 0x2000, Prot: rw, Flags: private,
		Stack: b.stack("mmap64@ld-linux-x86-64.so.2", "__minimal_malloc@ld-linux-x86-64.so.2", "dl_main@ld-linux-x86-64.so.2")}))
	b.entry(ELFRodata, "7f0000040000-7f0000050000 r--p 00000000 fe:00 2 /lib/libx.so", seg(nil, vm.ProtRead, 0))
	b.entry(ELFText, "7f0000050000-7f0000060000 r-xp 00010000 fe:00 2 /lib/libx.so", nil)
	hole := seg(nil, vm.ProtRead|vm.ProtExec, 0)
	b.entry(ELFText, "7f0001000000-7f0001001000 r-xp 00000000 fe:00 3 /lib/old.so (deleted)", hole)
	b.entry(ELFGap, "7f0001001000-7f0001200000 ---p 00001000 fe:00 3 /lib/old.so (deleted)", hole)
	b.entry(ELFData, "7f0001200000-7f0001201000 rw-p 00001000 fe:00 3 /lib/old.so (deleted)", seg(hole, rw, vm.MapFixed))
	// A file with the same bytes that is data.
	b.entry(FileData, "7f0001300000-7f0001301000 r--p 00000000 fe:00 4 /usr/share/data.bin", seg(nil, vm.ProtRead, 0))
	b.entry(VDSO, "7f0001400000-7f0001402000 r-xp 0 00:00 0 [vdso]", nil)
	b.events[b.s.Entries[len(b.s.Entries)-2].Origin.Event].Stack = b.stack("mmap64"+libc, "main")
	out := b.check()
	oneGroup(t, out, 0, 6)
	oneGroup(t, out, 7, 12)
	oneGroup(t, out, 13, 15)
	oneGroup(t, out, 15, 18)
	if out[15].Detail != "old.so" || out[11].Detail != "libx.so" {
		t.Errorf("%+v, %+v", out[15], out[11])
	}
}

// TestELFHoles: what a program maps over a part of a library's zeroed memory is the program's, beside the library's
// data too, and what is left of that memory stays the library's.
func TestELFHoles(t *testing.T) {
	b := newBuild(t)
	load := b.stack("mmap64@/lib64/ld-linux-x86-64.so.2", "_dl_map_segments@/lib64/ld-linux-x86-64.so.2", "dl_open_worker@/lib64/ld-linux-x86-64.so.2")
	own := b.stack("mmap64"+libc, "fill@prog", "main@prog")
	first := b.event(Event{Prot: vm.ProtRead, Flags: vm.MapPrivate, Stack: load})
	seg := func(prot, flags uint64, stack int) *Event {
		return b.event(Event{Prot: prot, Flags: vm.MapPrivate | vm.MapFixed | flags, Stack: stack, Over: first})
	}
	b.entry(ELFText, "7f0000000000-7f0000010000 r-xp 00000000 fe:00 2 /lib/libx.so", first)
	b.entry(ELFData, "7f0000010000-7f0000011000 rw-p 00010000 fe:00 2 /lib/libx.so", seg(rw, 0, load))
	zeroed := seg(rw, vm.MapAnonymous, load)
	b.entry(ELFBSS, "7f0000011000-7f0000020000 rw-p", zeroed)
	b.entry(Direct, "7f0000020000-7f0000021000 rw-p", seg(rw, vm.MapAnonymous, own))
	b.entry(ELFBSS, "7f0000021000-7f0000028000 rw-p", zeroed)
	b.entry(ELFBSS, "7f0000029000-7f0000030000 rw-p", zeroed)
	out := b.check()
	if last := out[len(out)-1]; last.Detail != "libx.so" || last.Group != out[0].Group {
		t.Errorf("the rest: %+v", last)
	}
	if out[3].Group == out[0].Group {
		t.Errorf("the program's own is of the library: %+v", out[3])
	}

	// From the first page on.
	b.s.Entries, b.want = b.s.Entries[:2], b.want[:2]
	b.entry(Direct, "7f0000011000-7f0000020000 rw-p", seg(rw, vm.MapAnonymous, own))
	b.entry(ELFBSS, "7f0000020000-7f0000028000 rw-p", zeroed)
	b.check()
}

func TestSpecialFiles(t *testing.T) {
	b := newBuild(t)
	at := uint64(0x7f0000000000)
	for _, c := range []struct {
		want Kind
		path string
		dev  string
	}{
		{AIO, "/[aio] (deleted)", "00:0c"}, {IOURing, "anon_inode:[io_uring]", "00:0d"}, {Perf, "anon_inode:[perf_event]", "00:0d"},
		{Device, "anon_inode:bpf-map", "00:0d"}, {Device, "anon_inode:kvm-vcpu:0", "00:0d"}, {SharedSysV, "/SYSV00000000 (deleted)", "00:01"},
		{SharedPOSX, "/dev/shm/x", "00:17"}, {MemFD, "/memfd:doublemapper (deleted)", "00:01"}, {SharedAnon, "/dev/zero (deleted)", "00:01"},
		{SharedAnon, "[anon_shmem:buffers]", "00:01"}, {HugeTLB, "/anon_hugepage (deleted)", "00:0f"}, {GPU, "/dev/dri/renderD128", "00:05"},
		{GPU, "/dev/nvidia0", "00:05"}, {GPU, "/dmabuf:", "00:0b"}, {Device, "/dev/infiniband/uverbs0", "00:05"}, {FileData, "/var/lib/db/data", "fe:00"},
		{Locale, "/usr/lib/locale/locale-archive", "fe:00"}, {Locale, "/usr/lib/locale/C.utf8/LC_CTYPE", "fe:00"},
		{Locale, "/opt/x/share/locale/de/LC_MESSAGES/x.mo", "fe:00"}, {Locale, "/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache", "fe:00"},
		// Plain files that are called like these.
		{FileData, "/[aio]", "fe:00"}, {FileData, "/SYSVinit.conf", "fe:00"}, {FileData, "/SYSV00000000 (deleted)", "fe:00"}, {FileData, "/i915.bin (deleted)", "00:2b"},
		{FileData, "/secretmem.db", "fe:00"}, {FileData, "/memfd:x", "00:2b"}, {FileData, "/memfd:x (deleted)", "fe:00"}, {FileData, "/anon_hugepage.txt", "fe:00"},
		{FileData, "/srv/model.mo", "fe:00"}, {FileData, "/srv/LC_CTYPE", "fe:00"}, {FileData, "/srv/classes.jsa", "fe:00"}, {MemFD, "/memfd:java_heap (deleted)", "00:01"},
	} {
		perms := "rw-s"
		if c.want == Locale || c.want == FileData {
			perms = "r--p"
		}
		b.entry(c.want, fmt.Sprintf("%x-%x %s 0 %s 7 %s", at, at+0x1000, perms, c.dev, c.path), b.event(Event{Flags: vm.MapShared, Stack: b.stack("mmap64"+libc, "main")}))
		at += 0x2000
	}
	b.check()
}

// TestNamed has the kernel's names, which decide whatever else is known.
func TestNamed(t *testing.T) {
	b := newBuild(t)
	wrong := b.event(Event{Length: 1 << 20, Prot: rw, Flags: private, Stack: b.stack("mmap64"+libc, "main")})
	at := uint64(0x7f0000000000)
	for _, c := range []struct {
		want Kind
		name string
	}{
		{GlibcArena, " glibc: malloc arena"}, {GlibcLarge, " glibc: malloc"}, {ThreadStack, " glibc: pthread stack: 4711"}, {ThreadStack, " glibc: unused stack"},
		{Loader, " glibc: loader malloc"}, {GoHeap, " Go: heap"}, {GoHeap, " Go: heap reservation"}, {GoOwn, " Go: heap index"}, {GoOwn, " Go: gc bits"},
		{Jemalloc, "jemalloc_pg"}, {TCMalloc, "tcmalloc_region_NORMAL"}, {TCMallocOwn, "tcmalloc_region_METADATA"}, {Mimalloc, "mimalloc"},
		{Ruby, "Ruby:rb_heap"}, {OCaml, "OCaml: minor heap 0"}, {Named, "my buffers"},
	} {
		b.entry(c.want, fmt.Sprintf("%x-%x rw-p 0 00:00 0 [anon:%s]", at, at+0x1000, c.name), wrong)
		at += 0x1000
	}
	out := b.check()
	if out[2].TID != 4711 || out[15].Detail != "my buffers" || out[0].Evidence != `named " glibc: malloc arena" by its program` {
		t.Errorf("%+v\n%+v\n%+v", out[0], out[2], out[15])
	}
}

// TestUnknown: nothing is said that is not known.
func TestUnknown(t *testing.T) {
	b := newBuild(t)
	b.entryOf(Unknown, "7f0000000000-7f0000001000 rw-p", ledger.Origin{Cause: ledger.BeforeAttach})
	b.entryOf(Unknown, "7f0000002000-7f0000003000 rwxp", ledger.Origin{Cause: ledger.Drift})
	b.entryOf(Unknown, "7f0000004000-7f0000005000 rw-p", ledger.Origin{Event: 99})
	b.entry(Direct, "7f0000006000-7f0000007000 rw-p", b.event(Event{Length: 4096, Prot: rw, Flags: private, Stack: b.stack("mmap64"+libc, "pool_new", "main")}))
	b.entry(Reserved, "7f0000008000-7f0000009000 ---p", b.event(Event{Length: 4096, Flags: private, Stack: b.stack("mmap64"+libc, "pool_new", "main")}))
	out := b.check()
	if out[3].Detail != "by pool_new" || out[0].Confidence != Guess {
		t.Errorf("%+v", out)
	}
}

// TestNothing has no entries, and no functions to ask.
func TestNothing(t *testing.T) {
	if out := Known().Classify(&Space{}); len(out) != 0 {
		t.Errorf("%v", out)
	}
	s := Space{Entries: []ledger.Entry{{Mapping: vm.Mapping{Range: vm.Range{Start: 0x1000, End: 0x2000}}, Origin: ledger.Origin{Event: 1}}}}
	if out := Known().Classify(&s); out[0].Kind != Unknown {
		t.Errorf("%+v", out)
	}
}

// TestNoMusl: a static program without names is not taken for one with musl's malloc where its mappings ask
// for more than malloc does, or its threads' stacks are glibc's.
func TestNoMusl(t *testing.T) {
	build := func(flags uint64, stack bool, want Kind) {
		b := newBuild(t)
		b.s.Exe = "/bin/static"
		b.entry(Heap, "555000000000-555000002000 rw-p", b.event(Event{Call: "brk"}))
		if stack {
			b.s.Threads = append(b.s.Threads, Thread{TID: 101, PID: 100, SP: 0x7f00007ffff0})
			b.entry(ThreadStack, "7f0000000000-7f0000800000 rw-p", b.event(Event{Length: 8 << 20, Prot: rw, Flags: private | vm.MapStack, Stack: b.stack("@/bin/static")}))
		}
		b.entry(want, "7f0001000000-7f0001200000 rw-p", b.event(Event{Length: 2 << 20, Prot: rw, Flags: private | flags, Stack: b.stack("@/bin/static")}))
		b.check()
	}
	build(0, false, MuslMalloc)
	build(vm.MapNoReserve, false, Direct)
	build(0, true, Direct)
}

// TestReadLibrary: a library that a program maps to read it is no part of its image.
func TestReadLibrary(t *testing.T) {
	b := newBuild(t)
	const so = " 0 fe:00 7 /usr/lib/libx.so"
	load := func(prot, flags uint64) *Event {
		return b.event(Event{Length: 1 << 20, Prot: prot, Flags: vm.MapPrivate | flags, Stack: b.stack("mmap64@ld-linux-x86-64.so.2", "_dl_map_segments@ld-linux-x86-64.so.2")})
	}
	b.entry(ELFRodata, "7f0000000000-7f0000100000 r--p"+so, load(vm.ProtRead, 0))
	b.entry(ELFText, "7f0000100000-7f0000200000 r-xp"+so, load(vm.ProtRead|vm.ProtExec, vm.MapFixed))
	b.entry(FileData, "7f0001000000-7f0001200000 r--p"+so, b.event(Event{Length: 2 << 20, Prot: vm.ProtRead, Flags: vm.MapPrivate, Stack: b.stack("mmap64"+libc, "std::backtrace_rs::symbolize::gimli::mmap", "main")}))
	b.check()
}
