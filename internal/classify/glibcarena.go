package classify

import (
	"fmt"
	"path"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/vm"
)

// heapMax is HEAP_MAX_SIZE of glibc's malloc/arena.c: the size and alignment of a heap.
const heapMax = 64 << 20

// glibcFamily is malloc of glibc, beside the program break.
var glibcFamily = Family{
	Beside:  append([]string{"alloc_new_heap", "new_heap", "_int_new_arena", "mremap_chunk", "realloc", "__libc_realloc"}, glibcInner[:]...),
	Sources: []string{"malloc.c", "arena.c", "hooks.c", "morecore.c", "malloc-*", "dl-minimal-malloc.c", "allocatestack.c", "mremap.c"},
	Static:  append([]string{"alloc_new_heap", "new_heap", "_int_new_arena", "mremap_chunk", "arena_get_retry", "_int_free", "mmap_chunk"}, glibcInner[:]...),
	Role:    callers.Glibc, Exports: []string{"gnu_get_libc_version"},
	Is: callers.Module.IsGlibc,
	Kinds: []Row{
		{GlibcArena, words("glibc malloc arena"), nil, false, "first malloc in", hint(Variable, "MALLOC_ARENA_MAX").hint(Tunable, "glibc.malloc.arena_max").
			by(Variable, "MALLOC_ARENA_TEST LD_PRELOAD").by(Tunable, "glibc.malloc.arena_test").by(Machine, "cpus"), adviseArenas},
		{GlibcLarge, mass("glibc large malloc"), nil, false, "", hint(Variable, "MALLOC_MMAP_THRESHOLD_").hint(Tunable, "glibc.malloc.mmap_threshold").
			by(Variable, "MALLOC_MMAP_MAX_ LD_PRELOAD").by(Tunable, "glibc.malloc.mmap_max"), adviseLarge},
	},
	Caller: callers.Allocator{Pages: append([]string{"alloc_new_heap", "new_heap", "_int_new_arena", "arena_get_retry", "_int_free", "mmap_chunk", "__glibc_morecore"}, glibcInner[:]...)},
	Labels: []Label{{"glibc: malloc arena", GlibcArena}, {"glibc: malloc", GlibcLarge}},
}

func adviseArenas(u *Usage) (int64, string) {
	// Accessible memory is in use, or would be needed in another arena.
	spared := u.Reserved - u.Committed
	return spared, fmt.Sprintf("%s of %s are address space only (no memory): MALLOC_ARENA_MAX=1 (or GLIBC_TUNABLES=glibc.malloc.arena_max=1) would avoid them; threads then wait for each other in malloc",
		u.Size(spared), strings.Replace(u.Row.Words.Count(len(u.Things)), "1 glibc", "one glibc", 1))
}

func adviseLarge(u *Usage) (int64, string) {
	if len(u.Things) < 1000 {
		return 0, ""
	}
	return u.Reserved, fmt.Sprintf("%d large allocations have a mapping each, %s: MALLOC_MMAP_THRESHOLD_=%d (or GLIBC_TUNABLES=glibc.malloc.mmap_threshold) keeps them in the heap, with fewer calls and mappings",
		len(u.Things), u.Size(u.Reserved), 32<<20)
}

// findGlibcArenas recognises the heaps of glibc's arenas, malloc/arena.c alloc_new_heap: 128 MiB without access
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
			// The heaps of Go look the same.
			if isGoHint(e.Start) || j == i+1 || accessible(&v.Entries[j-1]) || v.events[j-1] != nil {
				continue
			}
			d.Confidence, d.Evidence = Likely, "64 MiB at a multiple of 64 MiB, only its beginning accessible"
			if len(v.Content) > 0 {
				// Memory was inspected and does not confirm that it is an arena.
				d.Confidence = Guess
			}
		} else {
			var ok bool
			if d.Confidence, d.Evidence, ok = v.arenaCall(ev); !ok {
				continue
			}
			v.ownedBy(&d, ev)
		}
		v.claimAll(i, j, d)
	}
}

// findArenasInTheMaking recognises reservations for heaps that have not been trimmed, or made accessible, yet: the
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
		if c := v.chain(ev); c.calledBy("new_heap", "alloc_new_heap") && c.provenBy(&glibcFamily) {
			d.Evidence = "mmap by " + c.by().name
		} else if d.Confidence, d.Evidence, ok = v.arenaCall(ev); !ok || accessible(e) {
			continue
		} else {
			d.Evidence = fmt.Sprintf("%d MiB reserved without access, not trimmed or not used yet", ev.Length>>20)
		}
		v.ownedBy(&d, ev)
		v.claimAll(i, v.run(i), d)
	}
}

// mergedGuard reports whether entry j is the inaccessible end of a heap and, adjacent to it, the guard of a stack:
// before the recording began the kernel showed both as one row.
func (v *view) mergedGuard(j int, end uint64) bool {
	e := &v.Entries[j]
	return !v.claimed(j) && anonymous(e) && !accessible(e) && e.Start < end && e.End > end && e.End-end <= 64<<10
}

// arenaCall reports whether ev is the mmap that makes a heap.
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
	case !by.of(&glibcFamily):
		return "", "", false
	case c.find("new_heap", "alloc_new_heap", "_int_new_arena", "arena_get2") != "" && (by.module == "" || !c.throughGlibc() || by.in.IsGlibc()):
		return Certain, text + "; called by " + by.name, true
	case by.in.IsGlibc():
		return Certain, text + "; called from within " + by.module, true
	case isAllocation(by.name):
		return Likely, text, true
	case ev.Length != 2*heapMax && ev.Result%heapMax != 0:
		return "", "", false // neither the stack nor the address says that it is malloc's
	case by.module == "", by.name == "" && by.module == path.Base(v.Exe) && !v.has(callers.Module.IsGlibc):
		return Guess, text, true // the code of a program may reserve and trim like this itself
	}
	// The function that reserved it belongs to something else.
	return "", "", false
}

// ownedBy marks d as belonging to the thread that made the call.
func (v *view) ownedBy(d *Verdict, ev *Event) {
	d.TID = ev.TID
	if t := v.thread(ev.TID, ev.T); t != nil {
		d.Detail = "of thread " + threadText(t)
	} else {
		d.Detail = fmt.Sprintf("of thread %d", ev.TID)
	}
}
