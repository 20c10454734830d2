package classify

import (
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
)

var muslFamily = Family{Static: []string{"alloc_group", "alloc_slot"}, Sources: []string{"malloc.c", "realloc.c", "aligned_alloc.c", "calloc.c", "expand_heap.c", "memalign.c", "lite_malloc.c"}, Role: callers.Musl, Exports: []string{"__libc_start_main", "_dlstart"}, Is: callers.Module.IsMusl, Beside: muslFunctions, Kinds: []Row{{MuslMalloc, mass("musl malloc"), nil, false, "", ungoverned, noAdvice}}}

// muslFunctions lists the functions that appear on stacks of musl's malloc.
var muslFunctions = append([]string{"malloc", "calloc", "realloc", "aligned_alloc", "__libc_realloc"}, muslMalloc[:]...)

// muslMalloc lists functions that only musl's malloc has: src/malloc/mallocng and oldmalloc.
var muslMalloc = [...]string{"alloc_group", "alloc_slot", "__malloc_alloc_meta", "__libc_malloc_impl", "__expand_heap"}

// findMusl recognises musl's malloc: src/malloc/mallocng (groups, metadata with a guard page, large allocations)
// and oldmalloc.
func findMusl(v *view) {
	for i, e := range v.free {
		ev := v.events[i]
		if ev == nil || !anonymous(e) || ev.Call != "mmap" && ev.Call != "mremap" {
			continue
		}
		c := v.chain(ev)
		by := c.by()
		glibc, musl := c.libc()
		if !glibc && !musl && isAllocation(by.name) {
			musl = v.isLibc("musl") // a stack of a thread's need not tell
		}
		d := Verdict{Kind: MuslMalloc, Evidence: ev.Call + " by " + by.name}
		switch {
		case !by.of(&muslFamily):
			continue
		case !glibc && c.calledBy(muslMalloc[:]...) && c.provenBy(&muslFamily):
		case musl && isAllocation(by.name) && (by.in.IsMusl() || callers.IsMalloc(by.name) || strings.HasPrefix(by.name, "_")):
		case by.name == "" && by.in.IsMusl():
			d.Confidence, d.Evidence = Likely, ev.Call+" from within "+by.module
		default:
			continue
		}
		v.claim(i, d)
	}
}

// isLibc reports whether name, "glibc" or "musl", is the process's C library: some stack passes through it and,
// for musl, none passes through glibc.
func (v *view) isLibc(name string) bool {
	if v.libc == "" {
		v.libc = "?"
		for _, ev := range v.events {
			if glibc, musl := v.chain(ev).libc(); glibc {
				v.libc = "glibc"
				break
			} else if musl {
				v.libc = "musl"
			}
		}
	}
	return v.libc == name
}
