package classify

import (
	"path"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/vm"
)

// findByShape guesses by size and place where neither names nor stacks say anything: the mapping is older than the
// recording, stacks are not recorded, or the program has no symbols.
func findByShape(v *view) {
	g := shapes{view: v, glibc: v.has(callers.Module.IsGlibc), musl: v.has(callers.Module.IsMusl), jvm: v.has(jvmFamily.has)}
	g.static = !g.glibc && !g.musl
	for i := range v.out {
		g.arenas = g.arenas || v.out[i].Kind == GlibcArena
		if ev := v.events[i]; v.out[i].Kind == ThreadStack && ev != nil && ev.Flags&vm.MapStack != 0 {
			g.glibcThreads = true
		}
		if v.out[i].Kind == Heap {
			g.heap += v.Entries[i].Len()
		}
	}
	if g.glibc {
		for i := range v.events {
			if ev := v.events[i]; ev != nil && ev.Call == "brk" && (g.brk == 0 || ev.Seq < g.brk) {
				g.brk = ev.Seq
			}
		}
	}
	for i, e := range v.free {
		ev := v.events[i]
		if !anonymous(e) || ev != nil && v.chain(ev).by().name != "" {
			continue
		}
		if ev == nil {
			g.before(i)
		} else if by := v.chain(ev).by(); by.module == "" || g.static && by.module == path.Base(v.Exe) {
			g.unnamed(i, ev)
		}
	}
}

// shapes holds what is known about the whole space.
type shapes struct {
	*view
	glibc, musl, jvm, static bool
	arenas                   bool
	glibcThreads             bool   // a stack was mapped as glibc does and musl does not
	heap                     uint64 // bytes
	brk                      uint64 // seq of the first brk that still holds something
}

// unnamed guesses what a call without function names on its stack made.
func (g *shapes) unnamed(i int, ev *Event) {
	if !ev.anonymous() && ev.Call != "mremap" || ev.fixed() || ev.Call == "mmap" && ev.Prot != vm.ProtRead|vm.ProtWrite {
		return
	}
	if ev.Call == "mmap" && ev.Flags&^(vm.MapTypeMask|vm.MapAnonymous) != 0 {
		return // malloc asks for nothing special: jemalloc, say, for MAP_NORESERVE
	}
	const threshold = 128 << 10 // DEFAULT_MMAP_THRESHOLD of glibc
	switch {
	case g.glibc && ev.Length <= 64<<10 && ev.Call == "mmap" && (g.brk == 0 || ev.Seq < g.brk):
		g.claim(i, Verdict{Kind: Loader, Confidence: Guess, Evidence: "small, mapped before the heap began"})
	case (g.glibc || g.static && (g.arenas || g.heap >= threshold)) && ev.Length >= threshold:
		g.claim(i, Verdict{Kind: GlibcLarge, Confidence: Guess, Evidence: "as large as what malloc maps apart"})
	case g.musl || g.static && !g.glibcThreads && g.heap > 0 && g.heap < threshold:
		g.claim(i, Verdict{Kind: MuslMalloc, Confidence: Guess, Evidence: "the program has musl's malloc"})
	}
}

// before guesses what a mapping is that existed when the recording began.
func (g *shapes) before(i int) {
	e := &g.Entries[i]
	d := Verdict{Confidence: Guess}
	beside := Kind("") // what lies below, without a gap
	if g.beside(i) {
		beside = g.out[i-1].Kind
	}
	executable := func(k int) bool {
		return k < len(g.Entries) && g.Entries[k].Perms&vm.Exec != 0 && anonymous(&g.Entries[k])
	}
	switch {
	case g.jvm && executable(i):
		d.Kind, d.Evidence = JVMCodeCache, "executable memory of a Java VM"
	case g.jvm && !accessible(e) && (beside == JVMCodeCache || g.beside(i+1) && executable(i+1)):
		d.Kind, d.Evidence = JVMCodeCache, "beside executable memory of a Java VM"
	case g.jvm && e.End <= 32<<30:
		d.Kind, d.Evidence = JVMHeap, "below 32 GiB in a Java VM"
	case g.jvm && !accessible(e) && e.Len() >= 960<<20 && e.Len() <= 1<<30:
		d.Kind, d.Evidence = JVMClassSpace, "nearly 1 GiB without access in a Java VM"
	case g.isGo() && (isGoHint(e.Start) && e.Start%goArena == 0 || g.goThread(i)):
		d.Kind, d.Evidence = GoHeap, "where Go has its heap"
	case beside == GoHeap && isGoHint(e.Start) && e.Start%goArena != 0:
		d.Kind, d.Evidence, d.Group = GoHeap, "in one arena with Go's heap", g.out[i-1].Group
	default:
		return
	}
	g.claim(i, d)
}

const goArena = 64 << 20 // heapArenaBytes of Go's runtime

// isGoHint reports whether an address is one of those at which Go's runtime asks for its heap (mallocinit in
// runtime/malloc.go: 0x00c0<<32 in each TiB, the first that is free).
func isGoHint(addr uint64) bool { return addr>>32&0xff == 0xc0 && addr>>40 < 0x7f }

// goThread reports whether a thread started on a stack in entry i that Go's runtime took from its heap: the entry
// consists of whole 4 MiB units and the thread's TLS lies in it too.
func (g *shapes) goThread(i int) bool {
	e := &g.Entries[i]
	t := g.stackOwner(i)
	return t != nil && isGoHint(e.Start) && (e.Start|e.End)%(4<<20) == 0 && e.Contains(t.TLS)
}
