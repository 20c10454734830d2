package classify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/vm"
)

// jemallocOwn and jemallocCall are functions of jemalloc without prefix: those that map for itself
// (src/base.c, rtree.c), and those that call the kernel (src/pages.c, extent_mmap.c).
var (
	jemallocOwn  = [...]string{"base_block_alloc", "base_map", "base_extent_alloc", "base_alloc_impl", "base_alloc", "base_new", "base_boot"}
	jemallocCall = [...]string{"os_pages_map", "pages_map", "pages_map_slow", "extent_alloc_mmap", "os_pages_unmap", "pages_unmap", "os_pages_trim", "extent_dalloc_mmap", "alloc_mmap", "chunk_alloc_mmap", "chunk_alloc_mmap_slow"}
)

var jemallocSettings = hint(Variable, "MALLOC_CONF JE_MALLOC_CONF _RJEM_MALLOC_CONF").by(Variable, "LD_PRELOAD").by(Machine, "cpus")

// jemallocPages lists its functions that do nothing but get pages.
var jemallocPages = []string{
	"os_pages_map", "pages_map", "pages_boot", "extent_alloc_mmap", "ehooks_default_alloc_impl", "ehooks_alloc", "ecache_alloc_grow", "extent_alloc_wrapper",
	"extent_grow_retained", "pac_alloc_real", "pac_alloc_impl", "pac_alloc_new_guarded", "pa_alloc", "arena_extent_alloc_large", "large_palloc", "large_malloc",
	"arena_slab_alloc", "base_map", "base_block_alloc", "base_alloc_impl", "base_alloc", "base_extent_alloc",
}

// jemallocFamily: src/ of jemalloc, under any public prefix.
var jemallocFamily = Family{
	Beside: slices.Concat(jemallocCall[:], jemallocPages),
	Kinds: []Row{
		{Jemalloc, words("jemalloc extent"), nil, false, "", jemallocSettings, adviseJemalloc},
		{JemallocOwn, mass("jemalloc metadata"), nil, false, "", jemallocSettings, noAdvice},
	},
	Sources: []string{"pages.c", "base.c", "extent*", "arena.c", "large.c", "huge.c", "chunk*", "ehooks.c", "ecache.c", "eset.c", "edata*", "emap.c", "rtree.c", "pa.c", "pac.c", "hpa*", "sec.c", "tcache.c", "tsd.c",
		"bin.c", "jemalloc*", "mozjemalloc.cpp", "background_thread.c", "cache_bin.c", "ctl.c", "prof*", "san*"},
	Modules: []string{"libjemalloc"}, Role: "jemalloc", Exports: []string{"mallctl", "malloc_stats_print", "mallocx"},
	Caller: callers.Allocator{Prefix: jemallocPrefix, Functions: []string{
		"mallocx", "rallocx", "sdallocx", "dallocx",
		"pages_*", "os_pages_*", "extent_*", "extents_*", "ehooks_*", "ecache_*", "pac_*", "pa_*", "hpa_*", "emap_*", "rtree_*", "base_block_*", "base_alloc*", "base_map*",
		"base_new*", "base_boot*", "arena_choose*", "arena_new*", "arena_init*", "arena_slab_*", "arena_extent_*", "arena_cache_bin_*", "arena_tcache_fill_*", "arena_malloc*",
		"arena_palloc*", "arena_ralloc*", "arena_bin_*", "arena_tdata_*", "arena_boot*", "arena_get*", "large_palloc*", "large_malloc*", "large_ralloc*", "tcache_alloc_*",
		"tcache_create*", "tsd_tcache_*", "tsd_fetch*", "tsd_boot*", "malloc_init_*", "malloc_default*", "malloc_tsd_*", "malloc_vmem*", "ialloc*", "iallocztm*", "imalloc*",
		"fallback_impl*", "default_alloc_impl*",
	}, Pages: jemallocPages},
	Labels: []Label{{"jemalloc_", Jemalloc}},
}

const jemallocPrefix = "je_"

func adviseJemalloc(u *Usage) (int64, string) {
	if !u.Known {
		return 0, ""
	}
	spared := u.Reserved - u.Resident
	return spared, fmt.Sprintf("%s of jemalloc's extents are address space only: MALLOC_CONF=narenas:2 makes threads share arenas, retain:false gives unused ranges back, dirty_decay_ms:1000 unused pages sooner (the variable is JE_MALLOC_CONF or _RJEM_MALLOC_CONF where the program's jemalloc was built with such a prefix)", u.Size(spared))
}

// findJemalloc recognises what jemalloc maps, whatever prefix its functions were given, and separates its
// metadata from the memory that it hands out. A jemalloc without names is recognised by its file.
func findJemalloc(v *view) {
	var unnamed []int
	for i, e := range v.free {
		ev := v.root(i)
		if ev == nil || !anonymous(e) || ev.Call != "mmap" {
			continue
		}
		c := v.chain(ev)
		by := c.by()
		switch {
		case by.name != "" && slices.Contains(jemallocCall[:], callers.Unprefixed(by.name, jemallocPrefix)) && c.provenBy(&jemallocFamily):
			d := Verdict{Kind: Jemalloc, Evidence: "mmap by " + by.name}
			v.detailJemalloc(&d, c)
			v.claim(i, d)
		case v.unnamed(c, jemallocFamily.has) == Likely:
			unnamed = append(unnamed, i)
		case v.unnamed(c, jemallocFamily.has) == Guess && ev.Flags&vm.MapNoReserve != 0 && ev.Prot != vm.ProtNone:
			v.claim(i, Verdict{Kind: Jemalloc, Confidence: Guess, Evidence: "mmap without reserve in a program with jemalloc"})
		}
	}
	v.claimUnnamedJemalloc(unnamed)
}

// jemallocUses maps functions further out on the stack to what the mapping is for.
var jemallocUses = [...]struct {
	start, own, extent string // of the function's name; what metadata and what extents are for
}{
	{"rtree_", "rtree", ""},
	{"arena_new", "arena", ""},
	{"arena_init", "arena", ""},
	{"base_boot", "base", ""},
	{"tsd_tcache_data_init", "tcache", "tcache"},
	{"tcache_create", "tcache", "tcache"},
	{"edata_cache", "extent records", ""},
	{"arena_slab_alloc", "", "small allocations"},
	{"large_palloc", "", "large allocations"},
	{"large_malloc", "", "large allocations"},
}

// detailJemalloc separates metadata from extents, and says what each is for, by the functions on the stack.
func (v *view) detailJemalloc(d *Verdict, c *chain) {
	for _, f := range c.frames {
		if slices.Contains(jemallocOwn[:], callers.Unprefixed(f.name, jemallocPrefix)) {
			d.Kind, d.Detail, d.Evidence = JemallocOwn, "base", "mapped for "+f.name
			break
		}
	}
	for _, f := range c.frames {
		name := callers.Unprefixed(f.name, jemallocPrefix)
		for _, u := range jemallocUses {
			use := u.extent
			if d.Kind == JemallocOwn {
				use = u.own
			}
			if use == "" || !strings.HasPrefix(name, u.start) {
				continue
			}
			// Whether it is small or large says less than what asked for it.
			d.Detail = use
			if use != "small allocations" && use != "large allocations" {
				return
			}
		}
	}
}

// claimUnnamedJemalloc classifies the mappings of a jemalloc whose functions have no names. Its very first mapping
// is a base block (src/base.c, base_boot). Mappings whose stacks share more innermost frames with it than the others'
// do are base blocks too.
func (v *view) claimUnnamedJemalloc(list []int) {
	var first *Event
	for _, i := range list {
		if ev := v.root(i); first == nil || ev.Seq < first.Seq {
			first = ev
		}
	}
	shared := make([]int, len(list)) // frames in common with the first, from the innermost
	least := -1
	for k, i := range list {
		shared[k] = v.sharedFrames(first, v.root(i))
		if least < 0 || shared[k] < least {
			least = shared[k]
		}
	}
	for k, i := range list {
		ev := v.root(i)
		d := Verdict{Kind: Jemalloc, Evidence: "mmap by " + v.chain(ev).by().module, Confidence: Likely}
		switch {
		case ev == first && v.firstOf(ev):
			d.Kind, d.Detail, d.Evidence = JemallocOwn, "base", "the first mapping that jemalloc made in the process"
		case least > 0 && shared[k] > least && v.firstOf(first):
			d.Kind, d.Evidence = JemallocOwn, "mapped through the same code as jemalloc's first mapping"
		}
		v.claim(i, d)
	}
}

// firstOf reports whether ev may be the very first mapping of its allocator: one of whole 2 MiB, as base
// blocks are.
func (v *view) firstOf(ev *Event) bool { return ev.Length%(2<<20) == 0 && ev.Flags&vm.MapFixed == 0 }

// sharedFrames returns how many return addresses the stacks of a and b share, counted from the innermost.
func (v *view) sharedFrames(a, b *Event) int {
	if v.Addresses == nil || a.Stack == 0 || b.Stack == 0 {
		return 0
	}
	var of []uint64
	v.Addresses(a.Stack, func(addr uint64) bool {
		of = append(of, addr)
		return true
	})
	n := 0
	v.Addresses(b.Stack, func(addr uint64) bool {
		if n == len(of) || of[n] != addr {
			return false
		}
		n++
		return true
	})
	return n
}
