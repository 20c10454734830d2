package classify

import "github.com/vmblame/vmblame/internal/callers"

// loaderFamily is the dynamic loader.
var loaderFamily = Family{
	Role: callers.Loader, Exports: []string{"_rtld_global", "__tls_get_addr"},
	Kinds:  []Row{{Loader, mass("dynamic loader's memory"), nil, false, "", ungoverned, noAdvice}},
	Caller: callers.Allocator{Pages: []string{"_dl_map_segment", "_dl_map_segments"}}, // glibc elf/dl-map-segments.h
	Labels: []Label{{"glibc: loader malloc", Loader}},
}

// findLoader recognises what the dynamic loader maps for itself before malloc is available: link maps, the main
// thread's TLS (glibc elf/dl-minimal-malloc.c).
func findLoader(v *view) {
	for i, e := range v.free {
		ev := v.events[i]
		if ev == nil || !anonymous(e) || !ev.anonymous() {
			continue
		}
		c := v.chain(ev)
		by := c.by()
		switch {
		case by.source != "" && by.name == "__minimal_malloc" && by.source != "dl-minimal-malloc.c" && by.source != "dl-minimal.c":
			continue
		case (!by.in.IsLoader() || by.in.IsMusl()) && (by.module != "" || !c.calledBy("__minimal_malloc")):
			continue
		case by.name == "":
			v.claim(i, Verdict{Kind: Loader, Confidence: Likely, Evidence: "mmap by " + by.module})
		case c.find("_dl_allocate_tls_storage", "init_tls", "_dl_allocate_tls", "allocate_dtv") != "":
			v.claim(i, Verdict{Kind: Loader, Detail: "thread-local storage", Evidence: "mmap by " + by.name})
		default:
			v.claim(i, Verdict{Kind: Loader, Evidence: "mmap by " + by.name})
		}
	}
}
