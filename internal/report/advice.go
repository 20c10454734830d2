package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/text"
)

// An advice is what one kind of memory costs, and how that is changed.
type advice struct {
	kind  classify.Kind
	bytes int64 // of address space, or of memory where the text says so, that would be spared
	text  string
}

// holds is all that a process has of one kind.
type holds struct {
	sums
	things  []*thing
	largest int64 // bytes reserved by the largest thing
	fullest int64 // bytes resident in the fullest
	known   bool  // resident bytes are known
	l       text.Style
}

// A knob is a way to have less of a kind. advise returns "" where it would not help.
type knob struct {
	kind   classify.Kind
	unless string // variables and options, one of which being set shows that the user knows the knob
	advise func(h *holds) (spared int64, text string)
}

// worthwhile is how many bytes an advice must spare at least.
const worthwhile = 4 << 20

// knobs lists them by kind.
func knobs() []knob {
	return []knob{
		{classify.GlibcArena, "MALLOC_ARENA_MAX glibc.malloc.arena_max", adviseArenas},
		{classify.ThreadStack, "OMP_STACKSIZE RUST_MIN_STACK -Xss -XX:ThreadStackSize", adviseStacks},
		{classify.GlibcLarge, "MALLOC_MMAP_THRESHOLD_ glibc.malloc.mmap_threshold", adviseLarge},
		{classify.Heap, "MALLOC_TRIM_THRESHOLD_ glibc.malloc.trim_threshold", adviseHeap},
		{classify.Jemalloc, "MALLOC_CONF JE_MALLOC_CONF _RJEM_MALLOC_CONF", adviseJemalloc},
		{classify.Mimalloc, "", addressOnly("MIMALLOC_ARENA_RESERVE=64MiB makes mimalloc reserve in smaller steps")},
		{classify.GoHeap, "GOMEMLIMIT GOGC", adviseGo},
		{classify.JVMHeap, "-Xmx -XX:MaxRAM -XX:MaxHeapSize", addressOnly("-Xmx (or -XX:MaxRAMPercentage) bounds the Java heap, and with it the GC's own structures")},
		{classify.JVMCodeCache, "-XX:ReservedCodeCacheSize", addressOnly("-XX:ReservedCodeCacheSize=64m bounds the Java code cache")},
		{classify.JVMClassSpace, "-XX:CompressedClassSpaceSize", addressOnly("-XX:CompressedClassSpaceSize=128m bounds the Java class space")},
		{classify.V8Heap, "--max-old-space-size --max_old_space_size", adviseV8},
		{classify.Locale, "", adviseLocale},
	}
}

// advice lists what would help p, what spares most first.
func (s *Scene) advice(p *process, l text.Style) []advice {
	by := map[classify.Kind]*holds{}
	for _, t := range p.things() {
		h := by[t.kind]
		if h == nil {
			h = &holds{known: p.taken >= 0, l: l}
			by[t.kind] = h
		}
		h.sums.add(&t.sums)
		h.things = append(h.things, t)
		h.largest = max(h.largest, t.reserved)
		h.fullest = max(h.fullest, t.rss)
	}
	var list []advice
	for _, k := range knobs() {
		h := by[k.kind]
		if h == nil || s.inUse(p, k.unless) {
			continue
		}
		if n, text := k.advise(h); text != "" && n >= worthwhile {
			list = append(list, advice{k.kind, n, text})
		}
	}
	if a, ok := s.adviseVMAs(p); ok {
		list = append(list, a)
	}
	slices.SortStableFunc(list, func(a, b advice) int { return cmp.Compare(b.bytes, a.bytes) })
	return list
}

// inUse tells whether one of these words, variables of the environment and options with how they begin, is
// set: in the environment, in a variable that holds options, or on the command line.
func (s *Scene) inUse(p *process, words string) bool {
	options := p.Argv
	for _, v := range [...]string{"GLIBC_TUNABLES", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "NODE_OPTIONS"} {
		options = append(options[:len(options):len(options)], strings.FieldsFunc(s.environment(v), func(r rune) bool { return r == ' ' || r == ':' && v == "GLIBC_TUNABLES" })...)
	}
	for _, w := range strings.Fields(words) {
		if s.environment(w) != "" {
			return true
		}
		for _, o := range options {
			if strings.HasPrefix(o, w) {
				return true
			}
		}
	}
	return false
}

func adviseArenas(h *holds) (int64, string) {
	// What can be accessed is in use, or would be elsewhere.
	spared := h.reserved - h.committed
	only := "address space only (no memory)"
	return spared, fmt.Sprintf("%s of %s are %s: MALLOC_ARENA_MAX=1 (or GLIBC_TUNABLES=glibc.malloc.arena_max=1) would avoid them; threads then wait for each other in malloc",
		h.l.Size(spared), strings.Replace(countText(len(h.things), "glibc malloc arena"), "1 glibc", "one glibc", 1), only)
}

func adviseStacks(h *holds) (int64, string) {
	n := int64(len(h.things))
	if !h.known || n < 2 {
		return 0, ""
	}
	size := int64(256 << 10)
	for size < 4*h.fullest {
		size *= 2
	}
	var spared int64
	for _, t := range h.things {
		spared += max(0, t.reserved-size)
	}
	return spared, fmt.Sprintf("%s reserve %s of address space, the fullest uses %s: ulimit -s %d (the default size of new threads' stacks; pthread_attr_setstacksize, OMP_STACKSIZE, RUST_MIN_STACK or -Xss in the program) would spare %s",
		countText(len(h.things), "thread stack"), h.l.Size(h.reserved), h.l.Size(h.fullest), size>>10, h.l.Size(spared))
}

func adviseLarge(h *holds) (int64, string) {
	if len(h.things) < 1000 {
		return 0, ""
	}
	return h.reserved, fmt.Sprintf("%s have a mapping each, %s: MALLOC_MMAP_THRESHOLD_=%d (or GLIBC_TUNABLES=glibc.malloc.mmap_threshold) keeps them in the heap, with fewer calls and mappings",
		countText(len(h.things), "large allocation"), h.l.Size(h.reserved), 32<<20)
}

func adviseHeap(h *holds) (int64, string) {
	spared := h.reserved - h.rss - h.swap
	if !h.known || spared < h.reserved/2 {
		return 0, ""
	}
	return spared, fmt.Sprintf("%s of the program heap are address space only: MALLOC_TRIM_THRESHOLD_=131072 (or GLIBC_TUNABLES=glibc.malloc.trim_threshold) gives its free end back to the kernel", h.l.Size(spared))
}

func adviseJemalloc(h *holds) (int64, string) {
	if !h.known {
		return 0, ""
	}
	spared := h.reserved - h.rss
	return spared, fmt.Sprintf("%s of jemalloc's extents are address space only: MALLOC_CONF=narenas:2 makes threads share arenas, retain:false gives unused ranges back, dirty_decay_ms:1000 unused pages sooner (the variable is JE_MALLOC_CONF or _RJEM_MALLOC_CONF where the program's jemalloc was built with such a prefix)", h.l.Size(spared))
}

func adviseGo(h *holds) (int64, string) {
	if !h.known || h.rss < 64<<20 {
		return 0, ""
	}
	return h.rss / 4, fmt.Sprintf("the Go heap has %s resident: GOMEMLIMIT=%dMiB bounds what the garbage collector lets it grow to, GOGC=50 collects sooner; both cost CPU time", h.l.Size(h.rss), h.rss*3/4>>20)
}

func adviseV8(h *holds) (int64, string) {
	if !h.known || h.rss < 128<<20 {
		return 0, ""
	}
	return h.rss / 4, fmt.Sprintf("the JavaScript heap has %s resident: NODE_OPTIONS=--max-old-space-size=%d (MiB) bounds it; it costs CPU time", h.l.Size(h.rss), h.rss*3/4>>20)
}

func adviseLocale(h *holds) (int64, string) {
	return h.reserved - h.rss, fmt.Sprintf("%s of locale data are mapped, %s used: LC_ALL=C.UTF-8 needs none of it", h.l.Size(h.reserved), h.l.Size(h.rss))
}

// addressOnly is the advice about what is reserved and not accessible.
func addressOnly(how string) func(*holds) (int64, string) {
	return func(h *holds) (int64, string) {
		spared := h.reserved - h.committed
		return spared, fmt.Sprintf("%s of %s reserved by %s are address space only: %s", h.l.Size(spared), h.l.Size(h.reserved), strings.ToLower(h.things[0].kind.Name()[:1])+h.things[0].kind.Name()[1:], how)
	}
}

// adviseVMAs warns before the kernel refuses more mappings.
func (s *Scene) adviseVMAs(p *process) (advice, bool) {
	n := int64(len(kernelRows(p.pieces)))
	limit := s.maxMaps()
	if limit == 0 || n < limit*8/10 {
		return advice{}, false
	}
	return advice{text: fmt.Sprintf("%d of %d mappings are in use, then mmap fails: sysctl vm.max_map_count=%d allows more; report --vmas tells who has them", n, limit, 4*limit)}, true
}

func appendAdvice(b []byte, list []advice, l text.Style) []byte {
	width := l.Width
	if l.Whole {
		width = 0
	}
	for _, a := range list {
		b = append(b, text.Fold("hint: "+text.Printable(a.text), width, "      ")...)
		b = append(b, '\n')
	}
	return b
}
