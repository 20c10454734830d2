package classify

import (
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/vm"
)

// findGlibcLarge recognises the allocations that glibc's malloc/malloc.c gives a mapping of their own
// (sysmalloc_mmap, mremap_chunk): an mmap or mremap from within malloc and its like.
func findGlibcLarge(v *view) {
	for i, e := range v.free {
		ev := v.events[i]
		if ev == nil || !anonymous(e) || e.Perms&(vm.Read|vm.Write) != vm.Read|vm.Write {
			continue
		}
		if ev.Call != "mremap" && (!ev.anonymous() || ev.Prot != vm.ProtRead|vm.ProtWrite || ev.fixed()) {
			continue
		}
		c := v.chain(ev)
		by := c.by()
		// A program may have a malloc of its own; names that begin with "_" are the C library's alone.
		proven := c.provenBy(&glibcFamily) ||
			strings.HasPrefix(by.name, "_") && isAllocation(by.name) || v.holdsGlibc(by.module) && (by.name == "" || callers.IsMalloc(by.name))
		if glibc, _ := c.libc(); !glibc || !proven || !by.of(&glibcFamily) || !isAllocation(by.name) && by.name != "" {
			continue
		}
		switch entry, other := c.allocation(); {
		case entry != "":
			v.claim(i, Verdict{Kind: GlibcLarge, Evidence: ev.Call + " by " + entry})
		case !other:
			v.claim(i, Verdict{Kind: GlibcLarge, Confidence: Likely, Evidence: ev.Call + " from within " + by.module})
		}
	}
}

// holdsGlibc reports whether glibc's malloc is linked into a file: some stack has internal functions of it there that
// call each other.
func (v *view) holdsGlibc(module string) bool {
	if v.mallocs == nil {
		v.mallocs = map[string]bool{}
		for _, ev := range v.events {
			if c := v.chain(ev); c.distinct("", glibcInner[:]) > 1 {
				for _, f := range c.frames {
					if slices.Contains(glibcInner[:], f.name) {
						v.mallocs[f.module] = true
					}
				}
			}
		}
	}
	return v.mallocs[module]
}

// allocation returns the outermost allocator function at the inner end of the stack, "" for none; other reports
// whether another function of the C library stands there instead.
func (c *chain) allocation() (name string, other bool) {
	for _, f := range c.frames[c.caller:] {
		switch {
		case isAllocation(f.name):
			name = f.name
		case f.name != "":
			return name, f.in.IsGlibc()
		}
	}
	return name, false
}

// glibcInner lists internal functions of malloc that call each other (glibc malloc/malloc.c, arena.c).
var glibcInner = [...]string{"sysmalloc", "sysmalloc_mmap", "_int_malloc", "_int_realloc", "tcache_init", "arena_get2"}

// isAllocation reports whether a function is one of a C library's allocator.
func isAllocation(name string) bool {
	switch name {
	case "__libc_malloc", "__libc_calloc", "__libc_realloc", "__libc_memalign", "__libc_valloc", "__libc_pvalloc",
		"__malloc", "__calloc", "__realloc", "__memalign", "_mid_memalign", "sysmalloc_mmap_fallback", "mremap_chunk", "_int_memalign",
		"malloc_hook_ini", "realloc_hook_ini", "__posix_memalign", "__malloc_hook_ini", "malloc_default", "tcache_malloc",
		"__libc_calloc2", "__libc_malloc2", "checked_request2size":
		return true
	}
	return callers.IsMalloc(name) || slices.Contains(glibcInner[:], name)
}
