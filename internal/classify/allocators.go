package classify

import (
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
)

// allocators are those of one rule: what calls the kernel for them, and the files they are in where the
// functions have no names.
var allocators = [...]struct {
	kind    Kind
	calls   []string // as the caller of mmap's wrapper
	modules []string
	own     []string // on the stack: for its own metadata
	ownKind Kind
}{
	// gperftools src/system-alloc.cc, google tcmalloc/system-alloc.cc and system_allocator.h.
	{TCMalloc, []string{"MmapSysAllocator::*", "DevMemSysAllocator::*", "TCMalloc_SystemAlloc*", "tcmalloc::*"}, []string{"libtcmalloc"},
		[]string{"tcmalloc::MetaDataAlloc", "tcmalloc::tcmalloc_internal::MetadataAlloc*", "tcmalloc::tcmalloc_internal::Arena::*", "(anonymous namespace)::do_mmap_wrapper_md"}, TCMallocOwn},
	// mimalloc src/prim/unix/prim.c, src/os.c.
	{Mimalloc, []string{"unix_mmap*", "_mi_prim_*", "_mi_os_*", "mi_os_*", "mi_unix_mmap*"}, []string{"libmimalloc"}, nil, ""},
	{Snmalloc, []string{"snmalloc::*"}, []string{"libsnmalloc"}, nil, ""},
	// CRuby gc.c, gc/default/default.c.
	{Ruby, []string{"heap_page_body_allocate", "heap_page_allocate*", "rb_gc_impl_*", "rb_aligned_malloc", "gc_aligned_malloc"}, []string{"libruby"}, nil, ""},
	// OCaml 5 runtime/platform.c, unix.c.
	{OCaml, []string{"caml_mem_map", "caml_plat_mem_map", "caml_alloc_for_heap"}, nil, nil, ""},
}

// findAllocators knows the allocators that need no more than the function or file that called mmap.
func findAllocators(v *view) {
	for i, e := range v.free {
		ev := v.root(i)
		if ev == nil || !anonymous(e) || ev.Call != "mmap" {
			continue
		}
		c := v.chain(ev)
		by := c.by()
		for k := range allocators {
			a := &allocators[k]
			d := Verdict{Kind: a.kind, Evidence: ev.Call + " by " + by.name}
			if !c.calledBy(a.calls...) {
				if by.name != "" || !startsWithOne(by.module, a.modules) {
					continue
				}
				d.Evidence, d.Confidence = ev.Call+" by "+by.module, Likely
			}
			if own, f := c.clue([]clue{{a.ownKind, "", a.own}}); own != nil {
				d.Kind, d.Evidence = a.ownKind, "mapped for "+f
			}
			n := v.run(i)
			d.Group = v.group()
			for ; i < n; i++ {
				v.claim(i, d)
			}
			break
		}
	}
}

func startsWithOne(s string, list []string) bool {
	for _, x := range list {
		if strings.HasPrefix(s, x) {
			return true
		}
	}
	return false
}

// findMusl knows musl's malloc: src/malloc/mallocng (groups, metadata with a guard page, large allocations)
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
			musl = v.isMusl() // a stack of a thread's need not tell
		}
		d := Verdict{Kind: MuslMalloc, Evidence: ev.Call + " by " + by.name}
		switch {
		case c.calledBy("alloc_group", "alloc_slot", "__malloc_alloc_meta", "__libc_malloc_impl", "__expand_heap"):
		case musl && isAllocation(by.name):
		case by.name == "" && callers.IsMusl(by.module):
			d.Confidence, d.Evidence = Likely, ev.Call+" from within "+by.module
		default:
			continue
		}
		v.claim(i, d)
	}
}

// isMusl tells whether the C library that is part of the program is musl: some stack passes through it, and
// none through glibc.
func (v *view) isMusl() bool {
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
	return v.libc == "musl"
}

// Allocators are what hands out memory, for those who ask who asked for it.
func Allocators() []callers.Allocator {
	return []callers.Allocator{
		{Pages: []string{
			"alloc_new_heap", "new_heap", "_int_new_arena", "arena_get2", "arena_get_retry", "tcache_init", "sysmalloc", "sysmalloc_mmap", "_int_malloc", "_int_realloc",
			"_int_free", "mmap_chunk", "__glibc_morecore",
		}},
		{Modules: []string{"libjemalloc"}, Prefix: "je_", Functions: []string{
			"mallocx", "rallocx", "sdallocx", "dallocx",
			"pages_*", "os_pages_*", "extent_*", "extents_*", "ehooks_*", "ecache_*", "pac_*", "pa_*", "hpa_*", "emap_*", "rtree_*", "base_block_*", "base_alloc*", "base_map*",
			"base_new*", "base_boot*", "arena_choose*", "arena_new*", "arena_init*", "arena_slab_*", "arena_extent_*", "arena_cache_bin_*", "arena_tcache_fill_*", "arena_malloc*",
			"arena_palloc*", "arena_ralloc*", "arena_bin_*", "arena_tdata_*", "arena_boot*", "arena_get*", "large_palloc*", "large_malloc*", "large_ralloc*", "tcache_alloc_*", "tcache_create*", "tsd_tcache_*",
			"tsd_fetch*", "tsd_boot*", "malloc_init_*", "malloc_default*", "malloc_tsd_*", "malloc_vmem*", "ialloc*", "iallocztm*", "imalloc*", "fallback_impl*", "default_alloc_impl*",
		}, Pages: []string{
			"os_pages_map", "pages_map", "pages_boot", "extent_alloc_mmap", "ehooks_default_alloc_impl", "ehooks_alloc", "ecache_alloc_grow", "extent_alloc_wrapper",
			"extent_grow_retained", "pac_alloc_real", "pac_alloc_impl", "pac_alloc_new_guarded", "pa_alloc", "arena_extent_alloc_large", "large_palloc", "large_malloc", "arena_slab_alloc",
			"base_map", "base_block_alloc", "base_alloc_impl", "base_alloc", "base_extent_alloc",
		}},
		{Modules: []string{"libtcmalloc"}, Functions: []string{"tcmalloc::*"}},
		{Modules: []string{"libmimalloc"}, Functions: []string{"mi_*", "_mi_*"}},
		{Modules: []string{"libsnmalloc"}, Functions: []string{"snmalloc::*"}},
		{Modules: []string{"libasan", "libtsan"}},
		{Functions: []string{"runtime.*", "internal/runtime/*", "internal/cpu.*", "syscall.*"}, Pages: []string{
			// runtime/mem.go, mem_linux.go and malloc.go of Go.
			"runtime.sysMmap", "runtime.mmap", "runtime.sysReserveOS", "runtime.sysReserve", "runtime.sysReserveAligned", "runtime.sysMapOS", "runtime.sysMap",
			"runtime.sysAllocOS", "runtime.sysAlloc", "runtime.persistentalloc", "runtime.persistentalloc1", "runtime.persistentalloc.func1", "runtime.systemstack",
		}},
	}
}
