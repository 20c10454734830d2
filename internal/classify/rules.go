package classify

// rules are tried in this order; the first that claims an entry decides. The order is that of trust: the
// kernel's own names, names that programs gave, files, what calls and stacks say, shape alone.
var rules = [...]rule{
	{"what memory told", findContent},
	{"the kernel's labels", findKernelNamed},
	{"names given by programs", findNamed},
	{"PostgreSQL's segment", findPostgres},
	{"shared memory, rings, devices", findSpecialFiles},
	{"ELF images", findELF},
	{"sanitizers", findSanitizers},
	{"the dynamic loader", findLoader},
	{"Go", findGo},
	{"thread stacks", findThreadStacks},
	{"jemalloc", findJemalloc},
	{"tcmalloc, mimalloc and others", findAllocators},
	{"glibc arenas", findGlibcArenas},
	{"glibc arenas in the making", findArenasInTheMaking},
	{"glibc large malloc", findGlibcLarge},
	{"musl malloc", findMusl},
	{"JVM", findJVM},
	{"V8", findV8},
	{"CPython", findCPython},
	{"GHC", findGHC},
	{"files", findFiles},
	{"shape alone", findByShape},
	{"the rest", findRest},
}
