package report

import (
	"path"
	"strings"
	"unicode/utf8"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// A chain is who made a mapping, innermost call first: it begins with the last library function before
// the program's own code and ends with main, or with the function that a thread began in.
type chain struct {
	calls []string
	keep  int // the first so many are never elided
}

// loader is the chain of a stack that lies in the dynamic loader alone.
const loader = "the loader"

// chain makes the chain of a stack of a process that runs exe. Where nothing of the program's own is on it,
// as in programs that are mostly libraries, whatever called the C library or the allocator counts as such.
func (n *names) chain(id int, exe string) chain {
	c, ok := n.chainOf(id, func(s step) bool { return ownCode(s.module, exe) && !allocatorFunction(s.name) })
	if ok {
		return c
	}
	if d, ok := n.chainOf(id, func(s step) bool { return !baseLibrary(s.module) && !allocatorFunction(s.name) }); ok {
		return d
	}
	return c
}

// chainOf makes a chain; ok is false where no step is the program's own and it is not the loader's either.
func (n *names) chainOf(id int, isOwn func(step) bool) (c chain, ok bool) {
	var calls []string
	wrapper := 0          // of calls, those that only make the system call
	first, last := -1, -1 // of calls, the first and the last of the program's own
	allLoader := true
	for s := range n.walk(id) {
		own := isOwn(s)
		if len(calls) > 0 && isStart(s.name, own) {
			break
		}
		if s.frame == 0 && !own {
			wrapper++
		}
		if own {
			if first < 0 {
				first = len(calls)
			}
			last = len(calls)
		}
		allLoader = allLoader && isLoader(s.module)
		calls = append(calls, label(s))
		if own && s.name == "main" {
			break
		}
	}
	switch {
	case len(calls) == 0:
		return chain{calls: []string{"no stack"}, keep: 1}, true
	case allLoader:
		return chain{calls: []string{loader}, keep: 1}, true
	case first < 0:
		from := wrapper
		for from < len(calls)-1 && insideAllocator(calls[from]) {
			from++
		}
		return chain{calls[min(from, len(calls)-1):], 1}, false
	}
	from := max(first-1, min(wrapper, first))
	return chain{calls[from : last+1], first - from + 1}, true
}

// baseLibrary tells whether a module is the C library, the loader, or an allocator: who called it is of
// interest, never what it calls inside.
func baseLibrary(module string) bool {
	b := path.Base(module)
	for _, p := range [...]string{"libc.so", "libc-2", "libpthread", "libdl.so", "libstdc++", "libjemalloc", "libtcmalloc", "libmimalloc", "libasan", "libtsan"} {
		if strings.HasPrefix(b, p) {
			return true
		}
	}
	return isLoader(module) || module == "[vdso]" || module == "?"
}

// text joins the chain with " < ". Where it is wider than width (0 means no limit) the outer calls, or
// those between, give way to "...".
func (c chain) text(width int) string {
	full := strings.Join(c.calls, " < ")
	if width <= 0 || utf8.RuneCountInString(full) <= width {
		return full
	}
	c.calls = shortNames(c.calls)
	if full = strings.Join(c.calls, " < "); utf8.RuneCountInString(full) <= width {
		return full
	}
	last := c.calls[len(c.calls)-1]
	for n := len(c.calls) - 1; n >= c.keep; n-- {
		head := strings.Join(c.calls[:n], " < ")
		if t := head + " < ... < " + last; n < len(c.calls)-1 && utf8.RuneCountInString(t) <= width {
			return t
		}
		if t := head + " < ..."; utf8.RuneCountInString(t) <= width {
			return t
		}
	}
	// The program's own function stays whole, even where it is wider than the column.
	if c.keep < len(c.calls) {
		return c.calls[c.keep-1] + " < ..."
	}
	return c.calls[c.keep-1]
}

// long is how wide a name is allowed to be where lines are to fit, unless it is so without its generics.
const long = 32

// shortNames cuts the arguments of templates and generics out of names that are long.
func shortNames(calls []string) []string {
	short := make([]string, len(calls))
	for i, c := range calls {
		if short[i] = c; len(c) > long {
			short[i] = withoutGenerics(c)
		}
	}
	return short
}

// withoutGenerics writes "Vec<..>::push" for "Vec<alloc::string::String>::push". Rust's "<T as Trait>::f" keeps
// what stands in the first brackets.
func withoutGenerics(name string) string {
	keep := 0
	if strings.HasPrefix(name, "<") {
		keep = 1
	}
	var b strings.Builder
	depth := 0
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c == '<' && !strings.HasSuffix(name[:i], "operator") && !strings.HasSuffix(name[:i], "operator<"):
			if depth++; depth == keep+1 {
				b.WriteString("<..>")
			} else if depth <= keep {
				b.WriteByte(c)
			}
		case c == '>' && depth > 0 && name[i-1] != '-' && name[i-1] != '=':
			if depth--; depth < keep {
				b.WriteByte(c)
				keep = 0
			}
		case depth <= keep:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// label names a step: its function, or the file and the address in it.
func label(s step) string {
	if s.name != "" {
		return bareName(publicName(s.name, s.module))
	}
	return path.Base(s.module) + "+" + eventlog.Hex(s.addr).String()
}

// systemDirs hold libraries that are no part of the traced program.
var systemDirs = [...]string{"/lib/", "/lib64/", "/lib32/", "/usr/lib/", "/usr/lib64/", "/usr/lib32/", "/usr/local/lib/", "/nix/store/"}

// ownCode tells whether a module is the program's own: its executable, a library that is not the
// system's, or code that it made itself.
func ownCode(module, exe string) bool {
	if module == exe {
		return true
	}
	if module == "[vdso]" || module == "?" {
		return false
	}
	for _, d := range systemDirs {
		if strings.HasPrefix(module, d) {
			return false
		}
	}
	return !isLoader(module)
}

func isLoader(module string) bool {
	b := path.Base(module)
	return strings.HasPrefix(b, "ld-linux") || strings.HasPrefix(b, "ld-musl") || strings.HasPrefix(b, "ld-2.") || b == "ld.so"
}

// isStart tells whether a function only starts a program or a thread, which is no answer to who.
func isStart(name string, own bool) bool {
	switch name {
	case "_start", "runtime.goexit", "runtime.mstart", "runtime.mstart1":
		return true
	case "start_thread", "clone", "__clone", "clone3", "__clone3", "__clone_internal":
		return !own
	}
	return !own && strings.HasPrefix(name, "__libc_start_")
}
