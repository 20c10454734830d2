package classify

// named are the words for people, in the order of the kinds.
var named = [...]struct {
	kind Kind
	name string
}{
	{ELFText, "code"},
	{ELFRodata, "constants"},
	{ELFData, "data"},
	{ELFRelro, "relocated constants"},
	{ELFBSS, "zeroed data"},
	{ELFGap, "gap between segments"},
	{Loader, "dynamic loader's memory"},
	{Heap, "program heap (brk)"},
	{MainStack, "main stack"},
	{ThreadStack, "thread stack"},
	{StackGuard, "stack guard"},
	{SignalStack, "signal stack"},
	{GlibcArena, "glibc malloc arena"},
	{GlibcLarge, "glibc large malloc"},
	{MuslMalloc, "musl malloc"},
	{Jemalloc, "jemalloc extent"},
	{JemallocOwn, "jemalloc metadata"},
	{TCMalloc, "tcmalloc"},
	{TCMallocOwn, "tcmalloc metadata"},
	{Mimalloc, "mimalloc"},
	{Snmalloc, "snmalloc"},
	{GoHeap, "Go heap"},
	{GoOwn, "Go runtime metadata"},
	{JVMHeap, "Java heap"},
	{JVMClassSpace, "Java class space"},
	{JVMMetaspace, "Java metaspace"},
	{JVMCodeCache, "Java code cache"},
	{JVMCDS, "Java class data archive"},
	{JVMGC, "Java GC structures"},
	{JVMOther, "Java VM memory"},
	{V8Cage, "V8 cage"},
	{V8Heap, "V8 heap"},
	{V8Code, "V8 code range"},
	{Wasm, "WebAssembly memory"},
	{CPython, "Python object arena"},
	{Ruby, "Ruby heap"},
	{OCaml, "OCaml heap"},
	{Named, "named by the program"},
	{Sanitizer, "sanitizer shadow"},
	{Locale, "locale data"},
	{FileData, "file"},
	{SharedSysV, "System V shared memory"},
	{SharedPOSX, "POSIX shared memory"},
	{SharedAnon, "shared anonymous memory"},
	{MemFD, "memfd"},
	{AIO, "aio ring"},
	{IOURing, "io_uring"},
	{Perf, "perf buffer"},
	{GPU, "GPU memory"},
	{Device, "device"},
	{HugeTLB, "huge pages"},
	{VDSO, "kernel's vdso"},
	{Uprobes, "page for uprobes"},
	{Direct, "anonymous memory"},
	{Reserved, "reserved addresses"},
	{Unknown, "unknown"},
}

// Name is the kind in words for people, the word itself where it is none of ours.
func (k Kind) Name() string {
	for i := range named {
		if named[i].kind == k {
			return named[i].name
		}
	}
	return string(k)
}

// Kinds returns all kinds in the order in which reports may list them.
func Kinds() []Kind {
	all := make([]Kind, len(named))
	for i := range named {
		all[i] = named[i].kind
	}
	return all
}
