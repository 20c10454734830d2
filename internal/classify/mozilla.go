package classify

import (
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/vm"
)

// mozjemallocFamily: Firefox's memory/build, which is in its executable.
var mozjemallocFamily = Family{
	Language: true,
	Kinds: []Row{
		{Mozjemalloc, mass("mozjemalloc"), nil, false, "", ungoverned, noAdvice},
		{MozjemallocOwn, mass("mozjemalloc metadata"), nil, false, "", ungoverned, noAdvice},
	},
	Role: "mozjemalloc", Exports: []string{"moz_arena_malloc", "moz_xmalloc"},
	Caller: callers.Allocator{Functions: []string{"moz_arena_*", "moz_x*", "MozJemalloc::*", "arena_t::*"}},
	Labels: []Label{{"jemalloc-decommitted", Mozjemalloc}},
	Beside: []string{"pages_map", "pages_commit", "pages_decommit", "chunk_alloc*", "chunk_recycle*", "base_alloc", "base_pages_alloc", "moz_arena_*", "moz_x*", "MozJemalloc::*", "arena_t::*"},
}

// spiderMonkeyFamily: js/src/gc/Memory.cpp and js/src/jit/ProcessExecutableMemory.cpp.
var spiderMonkeyFamily = Family{
	Language: true,
	Modules:  []string{"libxul.so", "libmozjs"},
	Kinds: []Row{
		{SpiderMonkey, words("SpiderMonkey heap"), nil, false, "", ungoverned, noAdvice},
		{SpiderMonkeyCode, words("SpiderMonkey code reservation"), nil, false, "", ungoverned, noAdvice},
	},
	Caller: callers.Allocator{Lowest: []string{"js::gc::MapMemory*", "js::gc::MapAlignedPages*", "js::gc::TryMapAlignedPages*", "MozTaggedAnonymousMmap"}},
	Labels: []Label{{"js-gc-heap", SpiderMonkey}, {"js-executable-memory", SpiderMonkeyCode}},
}

const (
	mozChunk = 1 << 20    // kChunkSize of mozjemalloc, ChunkSize of SpiderMonkey
	smCode   = 2044 << 20 // MaxCodeBytesPerProcess of SpiderMonkey
)

// findMozilla recognises what mozjemalloc and SpiderMonkey map. Of a Firefox without symbols chunks are known by their length and the file that
// asks for them: mozjemalloc by itself, SpiderMonkey by MozTaggedAnonymousMmap.
func findMozilla(v *view) {
	for i, e := range v.free {
		ev := v.root(i)
		if ev == nil || !anonymous(e) || !ev.anonymous() {
			continue
		}
		c := v.chain(ev)
		by := c.by()
		whole := ev.Length%mozChunk == 0
		d := Verdict{Kind: Mozjemalloc, Evidence: ev.Call + " by " + by.name}
		switch {
		case c.calledBy("pages_map", "pages_commit", "pages_decommit") && mozjemallocFamily.has(by.in):
			if c.find("base_alloc", "base_pages_alloc") != "" {
				d.Kind = MozjemallocOwn
			}
		case by.name == "" && by.in.Role == mozjemallocFamily.Role && (whole || (ev.Length+vm.PageSize)%mozChunk == 0):
			d.Confidence, d.Evidence = Likely, "chunks that Firefox's own file mapped"
		case c.calledBy("MozTaggedAnonymousMmap", "js::gc::*") && c.caller+1 < len(c.frames) && spiderMonkeyFamily.has(c.frames[c.caller+1].in) && whole:
			d.Kind, d.Confidence = SpiderMonkey, Likely
			if strings.HasPrefix(by.name, "js::") {
				d.Confidence = Certain
			}
			if ev.Length == smCode && ev.Prot == vm.ProtNone {
				d.Kind = SpiderMonkeyCode
			}
		default:
			continue
		}
		v.claimAll(i, v.run(i), d)
	}
}
