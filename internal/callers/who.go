package callers

import (
	"iter"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Call is one function of a stack: that of a frame, or one inlined into it.
type Call struct {
	Function string // demangled, "" where no symbol covers the address
	Module   string // path of its file, or a name in its place: "[vdso]"
	Address  uint64 // of the frame, as the file itself counts
	Frame    int    // 0 for the innermost; functions inlined into a frame have its number
}

// Label names a call: its function, or the file and the address in it.
func (c Call) Label() string {
	if c.Function != "" {
		return Bare(public(c.Function, c.Module))
	}
	return path.Base(c.Module) + "+0x" + strconv.FormatUint(c.Address, 16)
}

// An Allocator maps memory and hands it out: a malloc, or a language runtime. To blame for the memory is the function
// that called it. Names of functions are those of its source; one that ends in "*" stands for all that begin so.
type Allocator struct {
	Modules   []string // names of its files, by how they begin; programs often carry it inside them instead
	Functions []string // its functions, where they may lie in the program itself
	Pages     []string // its functions that only get pages, for any purpose
	Prefix    string   // its functions may have a prefix that ends so: "je_", "redis_je_", "_rjem_je_"
}

// Rules tell the program's own functions from those of allocators. They are safe for concurrent use.
type Rules struct {
	modules   []string
	functions []string
	pages     []string
	prefixes  []string
}

// NewRules makes rules that know these allocators.
func NewRules(list []Allocator) *Rules {
	r := &Rules{modules: []string{"libdl.so", "libstdc++"}, functions: slices.Clone(mallocs[:]), pages: slices.Clone(libcPages[:])}
	for _, a := range list {
		r.modules = append(r.modules, a.Modules...)
		r.functions = append(r.functions, a.Functions...)
		r.pages = append(r.pages, a.Pages...)
		if a.Prefix != "" {
			r.prefixes = append(r.prefixes, a.Prefix)
		}
	}
	return r
}

// mallocs are the functions that programs allocate memory with, in any allocator.
var mallocs = [...]string{
	"malloc", "calloc", "realloc", "reallocarray", "free", "posix_memalign", "aligned_alloc", "memalign", "valloc", "pvalloc",
	"operator new(unsigned long)", "operator new[](unsigned long)",
}

// libcPages are the C library functions that move the program break.
var libcPages = [...]string{"sbrk", "__sbrk", "brk", "__brk"}

// IsMalloc reports whether a function is one that programs ask for memory, whoever has written it.
func IsMalloc(name string) bool { return slices.Contains(mallocs[:], name) }

// loader is the chain of a stack that lies in the dynamic loader alone.
const loader = "the loader"

// Who is the chain of a stack, innermost call first, of a process that runs exe. Where nothing of the
// program's own is on it, as in programs that are mostly libraries, whatever called the C library or the
// allocator counts as such.
func (r *Rules) Who(stack iter.Seq[Call], exe string) Chain {
	c, ok := r.chain(stack, func(s Call) bool { return isOwn(s.Module, exe) && !r.isAllocator(s.Function) })
	if ok {
		return c
	}
	if d, ok := r.chain(stack, func(s Call) bool { return !r.isBase(s.Module) && !r.isAllocator(s.Function) }); ok {
		return d
	}
	return c
}

// chain makes a chain; ok is false where no call is the program's own and it is not the loader's either.
func (r *Rules) chain(stack iter.Seq[Call], isOwn func(Call) bool) (c Chain, ok bool) {
	var calls []string
	wrapper := 0          // of calls, those that only make the system call
	first, last := -1, -1 // of calls, the first and the last of the program's own
	allLoader := true
	for s := range stack {
		own := isOwn(s)
		if len(calls) > 0 && isStart(s.Function, own) {
			break
		}
		if s.Frame == 0 && !own {
			wrapper++
		}
		if own {
			if first < 0 {
				first = len(calls)
			}
			last = len(calls)
		}
		allLoader = allLoader && IsLoader(s.Module)
		calls = append(calls, s.Label())
		if own && s.Function == "main" {
			break
		}
	}
	switch {
	case len(calls) == 0:
		return Words("no stack"), true
	case allLoader:
		return Words(loader), true
	case first < 0:
		from := wrapper
		for from < len(calls)-1 && Matches(r.source(calls[from]), r.pages) {
			from++
		}
		return Chain{calls[min(from, len(calls)-1):], 1}, false
	}
	from := max(first-1, min(wrapper, first))
	return Chain{calls[from : last+1], first - from + 1}, true
}

// isStart reports whether a function only starts a program or a thread, which is no answer to who.
func isStart(name string, own bool) bool {
	switch name {
	case "_start", "runtime.goexit", "runtime.mstart", "runtime.mstart1":
		return true
	case "start_thread", "clone", "__clone", "clone3", "__clone3", "__clone_internal":
		return !own
	}
	return !own && strings.HasPrefix(name, "__libc_start_")
}

// isBase reports whether a file is the C library, the loader, or an allocator: its caller is of interest, never its
// internal calls.
func (r *Rules) isBase(module string) bool {
	return IsLibc(module) || IsLoader(module) || inKernel(module) || startsWithOne(path.Base(module), r.modules)
}

// isAllocator reports whether a function is an allocator's; programs are often linked with one.
func (r *Rules) isAllocator(name string) bool { return Matches(r.source(name), r.functions) }

// source is a function's name in the allocator's source.
func (r *Rules) source(name string) string {
	name = withoutSuffix(name)
	for _, p := range r.prefixes {
		name = Unprefixed(name, p)
	}
	return name
}

// Unprefixed is the name of a function without the prefix that a build of its allocator gave it, which ends
// in end (jemalloc's configure: --with-jemalloc-prefix and --with-private-namespace; Rust's crate has
// _rjem_je_ for inner functions and _rjem_ for malloc and its like).
func Unprefixed(name, end string) string {
	const longest = 12
	name = strings.TrimPrefix(name, "_rjem_")
	if i := strings.Index(name, end); i >= 0 && i+len(end) <= longest {
		return name[i+len(end):]
	}
	return name
}
