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
	Module   Module // the file that it lies in
	Source   string // the file of its source, "" where unknown
	Global   bool   // a symbol table has it as global: it cannot be one of the functions that are local to a file
	Address  uint64 // of the frame, as the file itself counts
	Frame    int    // 0 for the innermost; functions inlined into a frame have its number
	Omitted  int    // where it stands for frames that were not recorded: how many; it has no other field then
}

// Label names a call: its function, or the file and the address in it.
func (c Call) Label() string {
	switch {
	case c.Omitted > 0:
		return "(" + strconv.Itoa(c.Omitted) + " frames)"
	case c.Function != "":
		if c.Module.Path == Anonymous {
			return c.Function // as its compiler calls it
		}
		return Bare(public(c.Function, c.Module))
	}
	return c.Module.Base() + "+0x" + strconv.FormatUint(c.Address, 16)
}

// label is Label in the form for chains. Code made at run time gets no address, which would change from run to run.
func (c Call) label() string {
	if c.isMade() {
		return MadeCode
	}
	return c.Label()
}

// MadeCode stands in chains for code made at run time of which no name is known, MadeCodeEnd where nothing is known of its callers.
const (
	// MadeCode stands in chains for code made at run time that has no name, MadeCodeEnd for such code whose callers are
	// unknown.
	MadeCode    = "(JIT code)"
	MadeCodeEnd = "(JIT code, where the stack ends)"
)

// Anonymous is the module of code in no file.
const Anonymous = "[anon]"

// isMade reports whether c is code in no file, without a name.
func (c Call) isMade() bool { return c.Function == "" && c.Module.Path == Anonymous }

// An Allocator maps memory and hands it out: a malloc, or a language runtime. To blame for the memory is the function
// that called it. Names of functions are those of its source; one that ends in "*" stands for all that begin so.
type Allocator struct {
	Role      Role     // of its files, "" where they have none
	Modules   []string // names of its files, by how they begin; programs often carry it inside them instead
	Functions []string // its functions, where they may lie in the program itself
	Pages     []string // its functions that only get pages, for any purpose
	Proper    bool     // no other program has functions with such names
	Sources   []string // the files of its source, as Functions; nil where they are not listed
	Prefix    string   // its functions may have a prefix that ends so: "je_", "redis_je_", "_rjem_je_"
	// Lowest are its functions that do no more than make the system call, on whatever system. Nobody asks about them, also
	// where the rest of it is the program's own, as that of a language is.
	Lowest []string
}

// is reports whether a file is one of the allocator's.
func (a *Allocator) is(m Module) bool {
	if a.Role != Unknown && m.Role != Unknown {
		return m.Role == a.Role
	}
	return startsWithOne(m.Base(), a.Modules)
}

// Rules tell the program's own functions from those of allocators. They are safe for concurrent use.
type Rules struct {
	allocators []Allocator
	pages      []string
	lowest     []string
	prefixes   []string
}

// NewRules makes rules that know these allocators.
func NewRules(list []Allocator) *Rules {
	r := &Rules{allocators: list, pages: slices.Clone(libcPages[:]), lowest: slices.Clone(lowest[:])}
	for _, a := range list {
		r.pages = append(r.pages, a.Pages...)
		r.lowest = append(r.lowest, a.Lowest...)
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

// Stack is a call stack whose blame is asked for.
type Stack struct {
	Calls iter.Seq[Call] // innermost first
	Exe   string         // path of the executable
	Roots []string       // of the systems that its libraries may be of (Module.Root); that of this machine need not be named
	Cut   bool           // the walk ended early: outer callers are missing
}

// Who returns the chain of a stack. If it has no functions of the program itself, as in programs that consist of
// libraries, or only those of an executable that launches such a library, then the callers of the C library and of
// allocators count as the program's.
func (r *Rules) Who(s Stack) Chain {
	calls := collect(s.Calls, s.Exe, s.Roots)
	if len(calls) == 0 {
		return Words("no stack")
	}
	if !slices.ContainsFunc(calls, func(c Call) bool { return !c.Module.IsLoader() }) {
		return Words(loader)
	}
	helps := r.helpers(calls)
	own := make([]bool, len(calls))
	owned := false
	for i, c := range calls {
		own[i] = !helps[i] && isOwn(c.Module, s.Exe, s.Roots)
		owned = owned || own[i]
	}
	if !owned || onlyLaunches(calls, own) {
		foreign := make([]bool, len(calls))
		for i, c := range calls {
			foreign[i] = !helps[i] && !r.isBase(c.Module)
		}
		if slices.Contains(foreign, true) {
			own, owned = foreign, true
		}
	}
	return r.chain(calls, own, owned, s.Cut)
}

// collect returns the calls of a stack, innermost first, without those that only start the program or a thread.
// Consecutive frames of JIT-compiled code that has no names become one call.
func collect(stack iter.Seq[Call], exe string, roots []string) []Call {
	var calls []Call
	for c := range stack {
		own := isOwn(c.Module, exe, roots)
		if len(calls) > 0 && isStart(c.Function, own) {
			break
		}
		if n := len(calls); n > 0 && c.isMade() && calls[n-1].isMade() {
			continue
		}
		calls = append(calls, c)
		if own && c.Function == "main" {
			break
		}
	}
	return calls
}

// helpers tells which calls only act for others: those that make the system call, and those of allocators.
func (r *Rules) helpers(calls []Call) []bool {
	helps := make([]bool, len(calls))
	proven := map[*Allocator]bool{}
	bottom := true // only the lowest layers so far
	for i, c := range calls {
		name := withoutSuffix(Bare(c.Function))
		if bottom {
			if bottom = IsWrapper(name) || Matches(name, r.lowest) || c.Module.IsLibc(); bottom {
				helps[i] = IsWrapper(name) || Matches(name, r.lowest)
				continue
			}
		}
		helps[i] = c.Omitted > 0 || IsMalloc(withoutSuffix(c.Function)) || isLibrary(name)
		for k := 0; k < len(r.allocators) && !helps[i]; k++ {
			a := &r.allocators[k]
			if helps[i] = a.is(c.Module); helps[i] || !a.has(name) || !a.wrote(c) {
				continue
			}
			p, known := proven[a]
			if !known {
				p = a.actsOn(calls[i:])
				proven[a] = p
			}
			helps[i] = p
		}
	}
	return helps
}

// has reports whether a function is called as one of the allocator's is.
func (a *Allocator) has(name string) bool {
	if a.Prefix != "" {
		name = Unprefixed(name, a.Prefix)
	}
	return Matches(name, a.Functions)
}

// wrote reports whether a function may be the allocator's by the file of its source.
func (a *Allocator) wrote(c Call) bool {
	name := SourceName(c.Source)
	return a.Sources == nil || name == "" || Matches(name, a.Sources)
}

// SourceName returns the name of a source file without directories, "" if it does not say whose code it is: functions
// of headers are inlined into any code. For an object file it returns the source's name: libraries made of objects that
// were linked before have symbols of those.
func SourceName(file string) string {
	if strings.HasSuffix(file, ".o") { // pages.o, pages.pic.o
		object, _, _ := strings.Cut(path.Base(file), ".")
		file = object + ".c"
	}
	if !strings.HasSuffix(file, ".c") && !strings.HasSuffix(file, ".cc") && !strings.HasSuffix(file, ".cpp") {
		return ""
	}
	return path.Base(file)
}

// actsOn reports whether the first of calls is a function of the allocator, not one of the program's with the same name
// ("extent_alloc", "rtree_insert"). It is if it lies in a file of the allocator, if its name is unique to the
// allocator, or if another function of the allocator is beside it.
func (a *Allocator) actsOn(calls []Call) bool {
	seen := map[string]bool{}
	for _, c := range calls {
		name := withoutSuffix(Bare(c.Function))
		switch {
		case a.is(c.Module), a.has(name) && a.names(name):
			return true
		case !a.has(name) && !IsMalloc(name):
			return false
		}
		if seen[name] = true; len(seen) > 1 {
			return true
		}
	}
	return false
}

// names reports whether a name of one of the allocator's functions belongs to no other program.
func (a *Allocator) names(name string) bool {
	return a.Proper || strings.ContainsAny(name, ":.") || a.Prefix != "" && Unprefixed(name, a.Prefix) != name
}

// onlyLaunches reports whether the program's only functions on a stack are those of an executable that does nothing but
// call the library with its code (R, Guile, CRuby): main, or what the library calls back.
func onlyLaunches(calls []Call, own []bool) bool {
	for i, c := range calls {
		if own[i] && (c.Module.Role != Launcher || i+1 < len(calls) && own[i+1] && calls[i+1].Frame != c.Frame) {
			return false
		}
	}
	return true
}

// chain makes the chain from calls; own says which of them are the program's own.
func (r *Rules) chain(calls []Call, own []bool, owned, cut bool) Chain {
	labels := make([]string, len(calls))
	for i, c := range calls {
		labels[i] = c.label()
	}
	if last := len(calls) - 1; cut && calls[last].isMade() {
		labels[last] = MadeCodeEnd
	}
	wrapper := 0          // calls that only make the system call
	first, last := -1, -1 // the first and the last of the program's own
	for i, c := range calls {
		if own[i] {
			if first < 0 {
				first = i
			}
			last = i
		} else if c.Frame == 0 || first < 0 && wrapper == i && Matches(withoutSuffix(Bare(c.Function)), r.lowest) {
			wrapper++
		}
	}
	if !owned {
		return Chain{labels[r.behindBase(calls, wrapper):], 1}
	}
	from := max(first-1, min(wrapper, first))
	if from < first && Matches(withoutSuffix(Bare(calls[from].Function)), r.lowest) {
		from = first
	}
	return Chain{labels[from : last+1], first - from + 1}
}

// behindBase returns where a chain begins that has none of the program's own functions: after those that make the
// system call, and after those that only get pages for others. If the C library was called by something else, its
// outermost function is the first of the chain.
func (r *Rules) behindBase(calls []Call, wrapper int) int {
	from, last := min(wrapper, len(calls)-1), len(calls)-1
	base := 0
	for base <= last && r.isBase(calls[base].Module) {
		base++
	}
	if base <= last {
		from = max(from, base-1)
	}
	for from < last {
		name := withoutSuffix(Bare(calls[from].Function))
		if !IsWrapper(name) && !Matches(name, r.lowest) && !Matches(r.source(calls[from].Label()), r.pages) {
			break
		}
		from++
	}
	return from
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
func (r *Rules) isBase(m Module) bool {
	return m.IsLibc() || m.IsLoader() || inKernel(m.Path) || m.isSupport() || slices.ContainsFunc(r.allocators, func(a Allocator) bool { return a.is(m) })
}

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
