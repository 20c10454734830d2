package classify

import (
	"path"

	"github.com/vmblame/vmblame/internal/vm"
)

// findByShape guesses where neither names nor stacks tell anything: the recording began later, was told to
// leave stacks out, or the program has no symbols at all.
func findByShape(v *view) {
	g := shapes{view: v, glibc: v.has(isGlibc), musl: v.has(isMusl), jvm: v.has(isJVM)}
	g.static = !g.glibc && !g.musl
	for i := range v.out {
		g.arenas = g.arenas || v.out[i].Kind == GlibcArena
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

// shapes is what is known of the whole space.
type shapes struct {
	*view
	glibc, musl, jvm, static bool
	arenas                   bool
	heap                     uint64 // bytes
	brk                      uint64 // seq of the first brk that still holds something
}

// unnamed guesses what a call without names on its stack made.
func (g *shapes) unnamed(i int, ev *Event) {
	if !ev.anonymous() && ev.Call != "mremap" || ev.fixed() || ev.Call == "mmap" && ev.Prot != vm.ProtRead|vm.ProtWrite {
		return
	}
	const threshold = 128 << 10 // DEFAULT_MMAP_THRESHOLD of glibc
	switch {
	case g.glibc && ev.Length <= 64<<10 && ev.Call == "mmap" && (g.brk == 0 || ev.Seq < g.brk):
		g.claim(i, Verdict{Kind: Loader, Confidence: Guess, Evidence: "small, mapped before the heap began"})
	case (g.glibc || g.static && (g.arenas || g.heap >= threshold)) && ev.Length >= threshold:
		g.claim(i, Verdict{Kind: GlibcLarge, Confidence: Guess, Evidence: "as large as what malloc maps apart"})
	case g.musl || g.static && g.heap > 0 && g.heap < threshold:
		g.claim(i, Verdict{Kind: MuslMalloc, Confidence: Guess, Evidence: "the program has musl's malloc"})
	}
}

// before guesses what a mapping is that was there when the recording began.
func (g *shapes) before(i int) {
	e := &g.Entries[i]
	d := Verdict{Confidence: Guess}
	switch {
	case g.jvm && e.Perms&vm.Exec != 0:
		d.Kind, d.Evidence = JVMCodeCache, "executable memory of a Java VM"
	case g.jvm && e.End <= 32<<30:
		d.Kind, d.Evidence = JVMHeap, "below 32 GiB in a Java VM"
	case e.Start>>32 == 0xc0 && (e.Start|e.End)%(4<<20) == 0:
		d.Kind, d.Evidence = GoHeap, "where Go begins its heap"
	default:
		return
	}
	g.claim(i, d)
}
