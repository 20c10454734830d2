package classify

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestCallers has for each family what its stack looks like, one mapping each.
func TestCallers(t *testing.T) {
	const mmap, node, jvm, rust = "mmap64" + libc, "@/usr/bin/node", "@/usr/lib/jvm/lib/server/libjvm.so", "@/usr/bin/rusty"
	for _, c := range []struct {
		want   Kind
		detail string
		flags  uint64
		stack  []string
	}{
		{GlibcLarge, "", 0, []string{mmap, "sysmalloc_mmap.isra.0" + libc, "sysmalloc" + libc, "_int_malloc" + libc, "__libc_malloc" + libc, "main"}},
		{GlibcLarge, "", 0, []string{libc, libc, "malloc" + libc, "main"}},
		{GlibcLarge, "", 0, []string{"mmap64", "sysmalloc", "_int_malloc", "malloc", "main", "__libc_start_call_main"}},
		{MuslMalloc, "", 0, []string{"mmap@/lib/ld-musl-x86_64.so.1", "@/lib/ld-musl-x86_64.so.1", "malloc@/lib/ld-musl-x86_64.so.1", "main"}},
		{MuslMalloc, "", 0, []string{"__mmap", "alloc_group", "alloc_slot", "__libc_malloc_impl", "main"}},
		{JemallocOwn, "rtree", 0, []string{mmap, "os_pages_map", "pages_map", "extent_alloc_mmap", "base_block_alloc", "base_alloc_impl", "base_alloc", "rtree_leaf_elm_lookup_hard", "malloc"}},
		{JemallocOwn, "base", 0, []string{mmap, "je_pages_map", "je_extent_alloc_mmap", "base_map", "base_block_alloc", "je_base_new", "je_base_boot", "malloc_init_hard"}},
		{JemallocOwn, "arena", 0, []string{mmap, "_rjem_je_pages_map" + rust, "_rjem_je_extent_alloc_mmap" + rust, "base_block_alloc" + rust, "_rjem_je_base_new" + rust, "_rjem_je_arena_new" + rust}},
		{Jemalloc, "large allocations", 0, []string{mmap, "os_pages_map", "_rjem_je_pages_map", "_rjem_je_extent_alloc_mmap", "_rjem_je_ehooks_default_alloc_impl", "_rjem_je_large_palloc", "_rjem_malloc"}},
		{Jemalloc, "small allocations", vm.MapNoReserve, []string{mmap, "redis_je_pages_map", "redis_je_extent_alloc_mmap", "arena_slab_alloc", "redis_je_arena_cache_bin_fill_small"}},
		{TCMalloc, "", 0, []string{mmap, "MmapSysAllocator::Alloc(unsigned long, unsigned long*, unsigned long)", "TCMalloc_SystemAlloc", "tcmalloc::PageHeap::GrowHeap(unsigned long)"}},
		{TCMallocOwn, "", 0, []string{mmap, "tcmalloc::tcmalloc_internal::SystemAlloc(unsigned long)", "tcmalloc::tcmalloc_internal::MetadataAlloc(unsigned long)"}},
		{TCMalloc, "", 0, []string{mmap, "@/usr/lib/libtcmalloc_minimal.so.4", "malloc@/usr/lib/libtcmalloc_minimal.so.4", "main"}},
		{Mimalloc, "", 0, []string{mmap, "unix_mmap_prim.constprop.0", "_mi_prim_alloc", "mi_os_prim_alloc", "mi_malloc"}},
		{Mimalloc, "", 0, []string{mmap, "@/usr/lib/libmimalloc.so.2.0", "malloc@/usr/lib/libmimalloc.so.2.0"}},
		{Snmalloc, "", 0, []string{mmap, "snmalloc::PALLinux::reserve(unsigned long)", "main"}},
		{Ruby, "", 0, []string{mmap, "heap_page_body_allocate", "heap_page_allocate", "newobj_slowpath"}},
		{OCaml, "", 0, []string{mmap, "caml_mem_map", "caml_init_domains"}},
		{GoHeap, "", vm.MapNoReserve, []string{"runtime.sysMmap", "runtime.mmap", "runtime.sysReserveOS", "runtime.sysReserve", "runtime.(*mheap).sysAlloc", "runtime.(*mheap).grow"}},
		{GoOwn, "", 0, []string{"runtime.sysMmap", "runtime.mmap", "runtime.sysAllocOS", "runtime.sysAlloc", "runtime.persistentalloc1"}},
		{GoHeap, "", vm.MapNoReserve, []string{mmap, "x_cgo_mmap", "runtime.callCgoMmap", "runtime.mmap", "runtime.sysReserve", "runtime.(*mheap).sysAlloc"}},
		{Direct, "by main.load", 0, []string{"internal/runtime/syscall.Syscall6", "syscall.Syscall6", "syscall.mmap", "syscall.(*mmapper).Mmap", "syscall.Mmap", "main.load", "main.main"}},
		{JVMHeap, "", vm.MapNoReserve, []string{mmap, "os::pd_reserve_memory(unsigned long, bool)" + jvm, "ReservedSpace::reserve(unsigned long, char*)" + jvm, "ReservedHeapSpace::ReservedHeapSpace(unsigned long)" + jvm, "G1CollectedHeap::initialize()" + jvm}},
		{JVMCodeCache, "", vm.MapNoReserve, []string{mmap, "os::pd_reserve_memory(unsigned long, bool)" + jvm, "ReservedCodeSpace::ReservedCodeSpace(unsigned long)" + jvm, "CodeCache::initialize()" + jvm}},
		{JVMGC, "", 0, []string{mmap, "os::pd_commit_memory(char*, unsigned long, bool)" + jvm, "ParMarkBitMap::initialize(MemRegion)" + jvm}},
		{JVMOther, "by SafepointMechanism::default_initialize", 0, []string{mmap, "os::pd_reserve_memory(unsigned long, bool)" + jvm, "os::reserve_memory(unsigned long)" + jvm, "SafepointMechanism::default_initialize()" + jvm}},
		{V8Heap, "", vm.MapNoReserve, []string{mmap, "v8::base::OS::Allocate(void*, unsigned long, unsigned long, v8::base::OS::MemoryPermission)" + node, "v8::internal::VirtualMemory::VirtualMemory(v8::PageAllocator*)" + node, "v8::internal::MemoryAllocator::AllocatePage()" + node}},
		{V8Cage, "", vm.MapNoReserve, []string{mmap, "v8::base::OS::Allocate(void*)" + node, "v8::internal::VirtualMemoryCage::InitReservation(v8::internal::VirtualMemoryCage::ReservationParams const&)" + node, "v8::internal::IsolateGroup::Initialize(bool)" + node}},
		{Wasm, "", vm.MapNoReserve, []string{mmap, "v8::base::OS::Allocate(void*)" + node, "v8::internal::BackingStore::TryAllocateAndPartiallyCommitMemory(v8::internal::Isolate*)" + node}},
		{CPython, "", 0, []string{mmap, "_PyObject_ArenaMmap@/usr/bin/python3.13", "new_arena@/usr/bin/python3.13"}},
		{Sanitizer, "", vm.MapNoReserve, []string{"__sanitizer::internal_mmap(void*, unsigned long)@libasan.so.8", "__sanitizer::MmapOrDie(unsigned long, char const*, bool)@libasan.so.8"}},
		{Direct, "by (anonymous namespace)::Arena::Map", 0, []string{mmap, "(anonymous namespace)::Arena::Map(unsigned long)", "main"}},
		{HugeTLB, "by pool_new", vm.MapHugeTLB, []string{mmap, "pool_new", "main"}},
		// A call of the program's own under a runtime is not the runtime's.
		{Direct, "by uv_mmap", 0, []string{mmap, "uv_mmap" + node, "v8::internal::Builtin_HandleApiCall(int)" + node}},
		{Direct, "by Java_Native_map", 0, []string{mmap, "Java_Native_map@/tmp/libn.so", "JavaCalls::call_helper(JavaValue*)" + jvm}},
	} {
		t.Run(string(c.want)+" "+c.stack[len(c.stack)-1], func(t *testing.T) {
			b := newBuild(t)
			prot := uint64(rw)
			if c.want == GoHeap {
				prot = vm.ProtNone
			}
			b.entry(c.want, "7f0000200000-7f0000500000 rw-p", b.event(Event{Length: 0x300000, Prot: prot, Flags: private | c.flags, Stack: b.stack(c.stack...)}))
			if out := b.check(); out[0].Detail != c.detail {
				t.Errorf("detail %q, want %q", out[0].Detail, c.detail)
			}
		})
	}
}

// TestCommitted: what is mapped over a reservation belongs to it, however the commit looks.
func TestCommitted(t *testing.T) {
	b := newBuild(t)
	jvm := "@/usr/lib/jvm/lib/server/libjvm.so"
	heap := b.event(Event{Addr: 0x600000000, Result: 0x600000000, Length: 1 << 30, Flags: noAccess, Stack: b.stack("mmap64"+libc, "os::pd_attempt_reserve_memory_at(char*)"+jvm, "ReservedHeapSpace::try_reserve_heap(unsigned long)"+jvm)})
	commit := b.event(Event{Addr: 0x600000000, Length: 1 << 28, Prot: rw, Flags: private | vm.MapFixed, Over: heap, Stack: b.stack("mmap64"+libc, "os::pd_commit_memory(char*)"+jvm, "G1PageBasedVirtualSpace::commit_internal(unsigned long)"+jvm)})
	b.entry(JVMHeap, "600000000-610000000 rw-p", commit)
	b.entry(JVMHeap, "610000000-640000000 ---p", heap)
	oneGroup(t, b.check(), 0, 2)
}

// TestJemallocWithoutNames has the stacks of a stripped libjemalloc: the return addresses tell which
// mappings came the way of the first.
func TestJemallocWithoutNames(t *testing.T) {
	b := newBuild(t)
	const je = "@/usr/lib/libjemalloc.so.2"
	addresses := [][]uint64{}
	at := uint64(0x7f0000000000)
	b.s.Addresses = func(id int, yield func(uint64) bool) {
		for _, a := range addresses[id-1] {
			if !yield(a) {
				return
			}
		}
	}
	for _, c := range []struct {
		want Kind
		size uint64
		pcs  []uint64
	}{
		{JemallocOwn, 2 << 20, []uint64{1, 10, 20, 30, 40, 50, 60}}, // base_new
		{Jemalloc, 2 << 20, []uint64{1, 10, 20, 31, 41, 51, 61}},    // ehooks_default_alloc_impl
		{JemallocOwn, 4 << 20, []uint64{1, 10, 20, 30, 42, 52, 62}}, // base_alloc_impl
		{Jemalloc, 5 << 20, []uint64{1, 10, 20, 31, 43, 53, 63}},
		{Jemalloc, 2 << 20, []uint64{1, 10, 20, 31, 41, 50, 60}},
	} {
		addresses = append(addresses, c.pcs)
		s := b.stack("mmap64"+libc, je, je, je, je, je, "malloc"+je)
		b.entry(c.want, fmt.Sprintf("%x-%x rw-p", at, at+c.size), b.event(Event{Length: c.size, Prot: rw, Flags: noAccess, Stack: s}))
		at += 16 << 20
	}
	b.check()
	// Without addresses all but the first are taken for extents.
	b.s.Addresses = nil
	b.want[2] = Jemalloc
	b.check()
}

func TestBaseName(t *testing.T) {
	for in, want := range map[string]string{
		"malloc": "malloc", "new_heap.isra.0": "new_heap", "f.part.0.cold": "f", "__GI___mmap64": "__mmap64",
		"os::commit_memory(char*, unsigned long, bool)":            "os::commit_memory",
		"(anonymous namespace)::f(int)":                            "(anonymous namespace)::f",
		"a::(anonymous namespace)::g(b::(anonymous namespace)::c)": "a::(anonymous namespace)::g",
		"C::operator()(int) const":                                 "C::operator()",
		"runtime.(*mheap).sysAlloc":                                "runtime.(*mheap).sysAlloc",
		"std::sys::pal::unix::thread::Thread::new":                 "std::sys::pal::unix::thread::Thread::new",
		"f(int) [clone .cold]":                                     "f", "": "", "(": "(", "x.(*T).m.func1": "x.(*T).m.func1",
	} {
		if got := callers.Source(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// FuzzClassify makes spaces of bytes: whatever stands in a log, there is a sound verdict for each entry.
func FuzzClassify(f *testing.F) {
	f.Add([]byte("7f0004000000 rw-p [heap] mmap64 new_heap libjvm.so 100 ..."))
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 200, 3, 4, 99, 255, 254, 0, 7})
	f.Fuzz(func(t *testing.T, data []byte) {
		s, n := fuzzSpace(t, data)
		out := Known().Classify(s)
		if len(out) != n {
			t.Fatalf("%d verdicts for %d entries", len(out), n)
		}
		checkSound(t, s, out)
		again := Known().Classify(s)
		if !slices.Equal(out, again) {
			t.Fatal("the same space gave other verdicts")
		}
	})
}

// fuzzSpace builds a space from bytes: small choices among what rules look for.
func fuzzSpace(t testing.TB, data []byte) (*Space, int) {
	next := func() uint64 {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return uint64(b)
	}
	functions := []string{"mmap64" + libc, libc, "malloc" + libc, "new_heap" + libc, "@libjemalloc.so.2", "je_pages_map", "base_block_alloc", "@libjvm.so",
		"os::pd_reserve_memory(int)@libjvm.so", "ReservedHeapSpace::x()@libjvm.so", "runtime.mmap", "runtime.(*mheap).sysAlloc", "v8::base::OS::Allocate()@node", "@node",
		"_PyObject_ArenaMmap@python3", "_dl_map_segments@ld-linux-x86-64.so.2", "main", "", "@ld-musl-x86_64.so.1", "__asan::Init()"}
	paths := []string{"", "", "", "[heap]", "[stack]", "[vdso]", "/bin/prog", "/lib/libjvm.so", "/lib/libc.so.6", "/x/classes.jsa", "/dev/zero (deleted)", "[anon: Go: heap]", "/bin/node", "/bin/python3"}
	calls := []string{"mmap", "mmap", "mmap", "brk", "mremap", "shmat", "io_setup"}
	b := newBuild(t)
	var last *Event
	at := uint64(0x10000)
	for n := 0; len(data) > 0 && n < 200; n++ {
		at += next() << (12 + next()%28)
		end := at + (next()+1)<<(12+next()%18)
		if at>>20 == 0 || end >= 1<<47 {
			break
		}
		path := paths[next()%uint64(len(paths))]
		file := "00:00 0"
		if strings.HasPrefix(path, "/") {
			file = fmt.Sprintf("fe:00 %d", len(path))
		}
		row := fmt.Sprintf("%x-%x %v %x %s %s", at, end, vm.Perms(next()&15), next()<<12, file, path)
		var e *Event
		if k := next(); k%3 > 0 {
			ev := Event{Call: calls[next()%uint64(len(calls))], Addr: at, Result: at, Length: (end - at) << (next() % 3), Prot: next() & 7, Flags: next() | next()<<12, TID: int(next()%3) + 99, PID: 100}
			var frames []string
			for range k % 5 {
				frames = append(frames, functions[next()%uint64(len(functions))])
			}
			if frames != nil {
				ev.Stack = b.stack(frames...)
			}
			if k%7 == 0 {
				ev.Over = NewOver(last)
			}
			e = b.event(ev)
			last = e
		}
		b.entry("", row, e)
		if next()%8 == 0 {
			b.s.Threads = append(b.s.Threads, Thread{TID: 101 + n, PID: 100, SP: end - 16, TLS: end - 16*next(), End: int64(next() & 1)})
		}
		at = end
	}
	return &b.s, len(b.s.Entries)
}

// TestMuslRealloc: in a static program the stack of a thread's realloc has no function that only musl has;
// others have.
func TestMuslRealloc(t *testing.T) {
	for _, c := range []struct {
		other string
		want  Kind
	}{{"alloc_group", MuslMalloc}, {"start_thread", Direct}} {
		b := newBuild(t)
		b.entry(c.want, "7f0000000000-7f0000d00000 rw-p", b.event(Event{Call: "mremap", Length: 13 << 20, Stack: b.stack("__mremap", "__libc_realloc", "w", "start")}))
		other := MuslMalloc
		if c.want == Direct {
			other = Direct
		}
		b.entry(other, "7f0001000000-7f0001100000 rw-p", b.event(Event{Length: 1 << 20, Prot: rw, Flags: private, Stack: b.stack("mmap", c.other, "malloc", "f", "main")}))
		b.check()
	}
}
