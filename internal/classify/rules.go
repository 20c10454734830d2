package classify

// rules are tried in this order; the first that claims an entry decides. The order is that of trust: the
// kernel's own names, names that programs gave, files, what calls and stacks say, shape alone.
var rules = [...]rule{
	{"kernel's names", findKernelNamed},
	{"ELF images", findELF},
	{"thread stacks", findThreadStacks},
	{"glibc arenas", findGlibcArenas},
	{"glibc large malloc", findGlibcLarge},
	{"rest", findRest},
}
