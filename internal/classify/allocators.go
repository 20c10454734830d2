package classify

import "github.com/vmblame/vmblame/internal/callers"

// tcmallocFamily: gperftools src/system-alloc.cc, google tcmalloc/system-alloc.cc and system_allocator.h.
var tcmallocFamily = Family{
	Kinds: []Row{
		{TCMalloc, mass("tcmalloc"), nil, false, "", ungoverned, noAdvice},
		{TCMallocOwn, mass("tcmalloc metadata"), nil, false, "", ungoverned, noAdvice},
	},
	Modules: []string{"libtcmalloc"}, Role: "tcmalloc", Exports: []string{"tc_malloc"},
	Caller: callers.Allocator{Functions: []string{"tcmalloc::*"}},
	Labels: []Label{{"tcmalloc_region_METADATA", TCMallocOwn}, {"tcmalloc", TCMalloc}},
	Calls:  []string{"MmapSysAllocator::*", "DevMemSysAllocator::*", "TCMalloc_SystemAlloc*", "tcmalloc::*"},
	Own:    []string{"tcmalloc::MetaDataAlloc", "tcmalloc::tcmalloc_internal::MetadataAlloc*", "tcmalloc::tcmalloc_internal::Arena::*", "(anonymous namespace)::do_mmap_wrapper_md"},
}

// mimallocFamily: mimalloc src/prim/unix/prim.c, src/os.c.
var mimallocFamily = Family{
	Kinds: []Row{{Mimalloc, mass("mimalloc"), nil, false, "", hint(Variable, "MIMALLOC_ARENA_RESERVE"),
		addressOnly("MIMALLOC_ARENA_RESERVE=64MiB makes mimalloc reserve in smaller steps")}},
	Modules: []string{"libmimalloc"}, Role: "mimalloc", Exports: []string{"mi_malloc", "mi_heap_new"},
	Caller: callers.Allocator{Proper: true, Functions: []string{"mi_*", "_mi_*"}},
	Labels: []Label{{"mimalloc", Mimalloc}, {"mi_", Mimalloc}},
	Calls:  []string{"unix_mmap*", "_mi_prim_*", "_mi_os_*", "mi_os_*", "mi_unix_mmap*"},
}

var snmallocFamily = Family{
	Kinds:   []Row{{Snmalloc, mass("snmalloc"), nil, false, "", ungoverned, noAdvice}},
	Modules: []string{"libsnmalloc"},
	Caller:  callers.Allocator{Functions: []string{"snmalloc::*"}},
	Labels:  []Label{{"snmalloc", Snmalloc}},
	Calls:   []string{"snmalloc::*"},
}

// rubyFamily: CRuby gc.c, gc/default/default.c. Its functions count as the program's own.
var rubyFamily = Family{
	Modules: []string{"libruby"}, Role: "ruby", Exports: []string{"ruby_init", "rb_gc_start"}, Language: true,
	Caller: callers.Allocator{Lowest: []string{"heap_page_body_allocate", "rb_aligned_malloc", "gc_aligned_malloc", "rb_gc_impl_aligned_malloc"}},
	Kinds:  []Row{{Ruby, words("Ruby heap"), nil, false, "", ungoverned, noAdvice}},
	Labels: []Label{{"Ruby:", Ruby}},
	Calls:  []string{"heap_page_body_allocate", "heap_page_allocate*", "rb_gc_impl_*", "rb_aligned_malloc", "gc_aligned_malloc"},
	Beside: []string{"rb_*", "ruby_*", "newobj_*"},
}

// ocamlFamily: OCaml 5 runtime/platform.c, unix.c.
var ocamlFamily = Family{
	Language: true,
	Caller:   callers.Allocator{Lowest: []string{"caml_mem_map", "caml_plat_mem_map"}},
	Kinds:    []Row{{OCaml, words("OCaml heap"), nil, false, "", ungoverned, noAdvice}},
	Labels:   []Label{{"OCaml:", OCaml}},
	Calls:    []string{"caml_mem_map", "caml_plat_mem_map", "caml_alloc_for_heap"},
	Beside:   []string{"caml_*"},
}

// findAllocators recognises the allocators for which the function or file that called mmap is evidence enough.
func findAllocators(v *view) {
	for i, e := range v.free {
		ev := v.root(i)
		if ev == nil || !anonymous(e) || ev.Call != "mmap" {
			continue
		}
		c := v.chain(ev)
		if !c.asked {
			c.asked = true
			c.family, c.named = v.familyOf(c)
		}
		a, by := c.family, c.by()
		if a == nil {
			continue
		}
		d := Verdict{Kind: a.Kinds[0].Kind}
		switch f := c.find(a.Own...); {
		case f != "":
			d.Kind, d.Evidence = a.Kinds[1].Kind, "mapped for "+f
		case c.named:
			d.Evidence = ev.Call + " by " + by.name
		default:
			d.Evidence = ev.Call + " by " + by.module
		}
		if !c.named {
			d.Confidence = Likely
			if ev.Length < 64<<10 && !a.Language {
				d.Confidence = Guess // allocators ask for more at once
			}
		}
		v.claimAll(i, v.run(i), d)
	}
}

// familyOf returns the family without a rule of its own that made a call, nil for none. named reports whether
// function names decided it; otherwise the file that the call came from did.
func (v *view) familyOf(c *chain) (f *Family, named bool) {
	for k := range v.known.families {
		a := &v.known.families[k]
		switch by := c.by(); {
		case len(a.Calls) == 0:
		case c.calledBy(a.Calls...) && c.provenBy(a):
			return a, true
		case by.name == "" && a.has(by.in):
			return a, false
		}
	}
	return nil, false
}
