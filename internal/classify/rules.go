package classify

// rules are tried in this order, from the most to the least trustworthy evidence; the first that claims an entry
// decides: the kernel's own names, names given by programs, files, system calls and stacks, shape alone.
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
	{"Firefox", findMozilla},
	{"jemalloc", findJemalloc},
	{"tcmalloc, mimalloc and others", findAllocators},
	{"glibc arenas", findGlibcArenas},
	{"glibc arenas in the making", findArenasInTheMaking},
	{"glibc large malloc", findGlibcLarge},
	{"musl malloc", findMusl},
	{"JVM", findJVM},
	{"Chromium", findChromium},
	{"V8", findV8},
	{"CPython", findCPython},
	{"GHC", findGHC},
	{"files", findFiles},
	{"shape alone", findByShape},
	{"the rest", findRest},
}
