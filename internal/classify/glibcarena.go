package classify

import (
	"fmt"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/vm"
)

// heapMax is HEAP_MAX_SIZE of glibc's malloc/arena.c: the size and alignment of a heap.
const heapMax = 64 << 20

// findGlibcArenas knows the heaps of glibc's arenas, malloc/arena.c alloc_new_heap: 128 MiB without access
// and without reserve, trimmed to an aligned 64 MiB, or these 64 MiB alone at the address that the last
// trim left; the beginning is made accessible bit by bit.
func findGlibcArenas(v *view) {
	for i, e := range v.free {
		if e.Start%heapMax != 0 || !anonymous(e) || !accessible(e) || e.Perms&vm.Write == 0 {
			continue
		}
		end := e.Start + heapMax
		j := i + 1
		for j < len(v.Entries) && v.beside(j) && v.Entries[j].End <= end && !v.claimed(j) && anonymous(&v.Entries[j]) {
			j++
		}
		ev := v.root(i)
		if ev == nil && v.beside(j) && v.mergedGuard(j, end) {
			j++
		} else if v.Entries[j-1].End != end {
			continue
		}
		d := Verdict{Kind: GlibcArena}
		if ev == nil {
			// Below lie the heaps of Go, which look alike.
			if e.Start < mmapArea || j == i+1 || accessible(&v.Entries[j-1]) || v.events[j-1] != nil {
				continue
			}
			d.Confidence, d.Evidence = Likely, "64 MiB at a multiple of 64 MiB, only its beginning accessible"
		} else {
			var ok bool
			if d.Confidence, d.Evidence, ok = v.arenaCall(ev); !ok {
				continue
			}
			v.ownedBy(&d, ev)
		}
		d.Group = v.group()
		for ; i < j; i++ {
			v.claim(i, d)
		}
	}
}

// findArenasInTheMaking knows reservations for heaps that have not been trimmed, or made accessible, yet: the
// moment at which most is mapped is often one of these. Where malloc's own functions are on the stack, it
// also knows heaps of other sizes (glibc.malloc.hugetlb).
func findArenasInTheMaking(v *view) {
	for i, e := range v.free {
		ev := v.root(i)
		if ev == nil || !anonymous(e) || !ev.anonymous() {
			continue
		}
		d := Verdict{Kind: GlibcArena}
		var ok bool
		if c := v.chain(ev); c.calledBy("new_heap", "alloc_new_heap") {
			d.Evidence = "mmap by " + c.by().name
		} else if d.Confidence, d.Evidence, ok = v.arenaCall(ev); !ok || accessible(e) {
			continue
		} else {
			d.Evidence = fmt.Sprintf("%d MiB reserved without access, not trimmed or not used yet", ev.Length>>20)
		}
		v.ownedBy(&d, ev)
		n := v.run(i)
		d.Group = v.group()
		for ; i < n; i++ {
			v.claim(i, d)
		}
	}
}

// mergedGuard tells whether entry j is the end of a heap and a stack's guard behind it, which the kernel
// showed as one row when the recording began.
func (v *view) mergedGuard(j int, end uint64) bool {
	e := &v.Entries[j]
	return !v.claimed(j) && anonymous(e) && !accessible(e) && e.Start < end && e.End > end && e.End-end <= 64<<10
}

// arenaCall tells whether ev is the mmap that makes a heap.
func (v *view) arenaCall(ev *Event) (Confidence, string, bool) {
	const wanted = vm.MapPrivate | vm.MapAnonymous | vm.MapNoReserve
	if !ev.anonymous() || ev.Flags&(wanted|vm.MapFixed) != wanted || ev.Prot != vm.ProtNone {
		return "", "", false
	}
	if ev.Length != heapMax && ev.Length != 2*heapMax {
		return "", "", false
	}
	text := fmt.Sprintf("%d MiB reserved without access, 64 MiB kept at a multiple of 64 MiB", ev.Length>>20)
	c := v.chain(ev)
	by := c.by()
	switch {
	case c.find("new_heap", "alloc_new_heap", "_int_new_arena", "arena_get2") != "":
		return Certain, text + "; called by " + by.name, true
	case callers.IsGlibc(by.module):
		return Certain, text + "; called from within " + by.module, true
	case len(c.frames) == 0, by.name == "", isAllocation(by.name):
		return Likely, text, true
	}
	// A named function of something else reserved it.
	return "", "", false
}

// ownedBy says that d belongs to the thread that made the call.
func (v *view) ownedBy(d *Verdict, ev *Event) {
	d.TID = ev.TID
	if t := v.thread(ev.TID, ev.T); t != nil {
		d.Detail = "of thread " + threadText(t)
	} else {
		d.Detail = fmt.Sprintf("of thread %d", ev.TID)
	}
}
