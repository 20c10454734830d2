package classify

// Kind is the stable word for what a mapping is. Words are added, never changed.
type Kind string

// The kinds.
const (
	ELFText   Kind = "elf-text"   // code of an ELF file
	ELFRodata Kind = "elf-rodata" // headers and constants
	ELFData   Kind = "elf-data"   // initialised variables
	ELFRelro  Kind = "elf-relro"  // data made read-only after relocation
	ELFBSS    Kind = "elf-bss"    // zeroed variables
	ELFGap    Kind = "elf-gap"    // padding between segments
	Loader    Kind = "loader"     // the dynamic loader's own memory: link maps, static TLS

	Heap           Kind = "heap"            // brk
	MainStack      Kind = "main-stack"      // [stack]
	ThreadStack    Kind = "thread-stack"    // of a thread, its TLS included
	StackGuard     Kind = "stack-guard"     // the inaccessible pages below it
	SignalStack    Kind = "signal-stack"    // sigaltstack(2)
	CoroutineStack Kind = "coroutine-stack" // that no thread was started on
	CoroutinePool  Kind = "coroutine-pool"  // several in one mapping

	GlibcArena  Kind = "glibc-arena"  // a heap of a non-main arena, both its parts
	GlibcLarge  Kind = "glibc-large"  // an allocation with a mapping of its own
	MuslMalloc  Kind = "musl-malloc"  // groups, metadata and large allocations
	Jemalloc    Kind = "jemalloc"     // extents
	JemallocOwn Kind = "jemalloc-own" // its metadata
	TCMalloc    Kind = "tcmalloc"
	TCMallocOwn Kind = "tcmalloc-own"
	Mimalloc    Kind = "mimalloc"
	Snmalloc    Kind = "snmalloc"
	Mozjemalloc Kind = "mozjemalloc" // Firefox's

	MozjemallocOwn Kind = "mozjemalloc-own" // its metadata
	PartitionAlloc Kind = "partition-alloc" // Chromium's

	GoHeap Kind = "go-heap" // stacks of goroutines included
	GoOwn  Kind = "go-own"  // the runtime's metadata

	JVMHeap       Kind = "jvm-heap"
	JVMClassSpace Kind = "jvm-class-space"
	JVMMetaspace  Kind = "jvm-metaspace"
	JVMCodeCache  Kind = "jvm-code-cache"
	JVMCDS        Kind = "jvm-cds" // class data sharing archive
	JVMGC         Kind = "jvm-gc"  // card table, mark bitmaps, remembered sets
	JVMOther      Kind = "jvm-other"

	V8Cage Kind = "v8-cage" // reserved for pointer compression or the sandbox
	V8Heap Kind = "v8-heap" // pages of the JavaScript heap
	V8Code Kind = "v8-code" // the code range
	Wasm   Kind = "wasm"    // linear memories and their guards

	SpiderMonkey     Kind = "spidermonkey-heap" // chunks of Firefox's JavaScript heap
	SpiderMonkeyCode Kind = "spidermonkey-code"
	JavaScriptCore   Kind = "javascriptcore" // WebKit's

	CPython Kind = "cpython-arena"
	Ruby    Kind = "ruby"
	OCaml   Kind = "ocaml"
	PHP     Kind = "php"
	BEAM    Kind = "beam" // Erlang's
	SBCL    Kind = "sbcl"
	LuaJIT  Kind = "luajit"
	BDWGC   Kind = "bdwgc" // the Boehm-Demers-Weiser collector
	GHC     Kind = "ghc"   // of Haskell programs
	Mono    Kind = "mono"  // of .NET programs under Mono

	InnoDBPool  Kind = "innodb-buffer-pool"
	MySQLBuffer Kind = "mysql-buffer" // caches of keys and pages, buffers of logs

	Named Kind = "named" // by its program with prctl(2) PR_SET_VMA

	Sanitizer Kind = "sanitizer" // shadow memory and its like

	Locale     Kind = "locale"
	FileData   Kind = "file"
	SharedSysV Kind = "shm-sysv"
	SharedPOSX Kind = "shm-posix"
	SharedAnon Kind = "shm-anon" // MAP_SHARED of no file
	MemFD      Kind = "memfd"
	AIO        Kind = "aio"
	IOURing    Kind = "io-uring"
	Perf       Kind = "perf"
	GPU        Kind = "gpu"
	Device     Kind = "device"
	HugeTLB    Kind = "hugetlb"
	VDSO       Kind = "vdso" // and vvar
	Uprobes    Kind = "uprobes"

	Direct   Kind = "direct"   // mapped by the program's, or a library's, own call
	Reserved Kind = "reserved" // such a mapping that is inaccessible
	Unknown  Kind = "unknown"
)
