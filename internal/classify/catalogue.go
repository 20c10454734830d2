package classify

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/vmblame/vmblame/internal/callers"
)

// A Family holds everything known about one thing that maps memory: an allocator, a runtime, the loader, the
// kernel. To add one, write a value and put it into the list of families; where Calls cannot recognise it, add a
// rule as well.
type Family struct {
	Kinds   []Row
	Modules []string                  // prefixes of the names of its files
	Role    callers.Role              // role of its files, derived from Exports; "" if they are recognised by name only
	Exports []string                  // a file that exports all of these dynamic symbols is one of its files
	Is      func(callers.Module) bool // reports whether a file is one of its files; nil if the three fields above decide
	// Language reports whether it runs programs written in some language, so that its files and functions count as
	// the program's own. Those of an allocator never count as the ones that asked for memory.
	Language bool
	Caller   callers.Allocator // its functions, which are not to be blamed for memory either
	Labels   []Label           // the names that it gives with prctl(2) PR_SET_VMA
	// Calls are its functions that call mmap's wrapper. What it maps is of the first of Kinds; if a function of Own
	// is on the stack it is metadata, of the second. A name alone proves nothing: besides the caller a second
	// function of Calls, of Caller's Functions or of Beside must be on the stack. A family with a rule of its own has
	// no Calls, and lists in Beside all functions that prove it.
	Calls, Own, Beside []string
	// Sources are the source files that its functions are in, nil if they are not listed. A function with the same
	// name from another source file is not one of its functions.
	Sources []string
	// Static are functions that are local to one of these.
	Static []string
}

// proof returns the functions two of which on one stack prove that the family made the call.
func (f *Family) proof() []string {
	if len(f.Calls) == 0 {
		return f.Beside
	}
	return slices.Concat(f.Calls, f.Own, f.Beside, f.Caller.Functions)
}

// has reports whether a file is one of the family's.
func (f *Family) has(m callers.Module) bool {
	switch {
	case f.Is != nil:
		return f.Is(m)
	case f.Role != "" && m.Role != callers.Unknown:
		return m.Role == f.Role
	}
	return slices.ContainsFunc(f.Modules, func(start string) bool { return strings.HasPrefix(m.Base(), start) })
}

// A Row holds everything known about one kind. Every column must be filled in, if only to say that there is nothing
// to say: a test checks it.
type Row struct {
	Kind     Kind
	Words    Words
	Heading  *Heading // the heading that it is counted under; nil in a family for its own words
	Minor    bool     // it is a part of an object that is named after another part
	MadeBy   string   // the words that diff puts before the caller: "first malloc in"
	Settings Settings
	Advise   Advise
}

// Words are what people call something.
type Words struct{ One, Many string }

// mass returns the words for something that has no plural.
func mass(one string) Words { return Words{one, one} }

// words returns the words for something whose plural ends in s.
func words(one string) Words { return Words{one, one + "s"} }

// Count writes "3 thread stacks", and "anonymous memory (3)" where there is no plural.
func (w Words) Count(n int) string {
	switch {
	case w.One == w.Many:
		return fmt.Sprintf("%s (%d)", w.One, n)
	case n == 1:
		return "1 " + w.One
	}
	return fmt.Sprintf("%d %s", n, w.Many)
}

// A Heading is the line under which kinds are listed and compared.
type Heading struct {
	Word  string // the kind's, where it is listed alone
	Words Words
	Told  Told
}

// Told says how the objects below a heading are told apart.
type Told uint8

// The values of Told.
const (
	AsThings Told = iota // counted, or one with its detail: "3 thread stacks", "thread stack of thread 9"
	AsFiles              // by the names of their files: "code and data of libc.so.6"
	AsOne                // by the heading alone
)

// A Label is the prefix of the names that a program gives to one kind of its memory, without leading blanks.
type Label struct {
	Start string
	Kind  Kind
}

// A Catalogue holds what vmblame knows about the code that maps memory and about the kinds of memory. It never
// changes, and is safe for concurrent use.
type Catalogue struct {
	families []Family
	kinds    []Kind
	rows     map[Kind]*Row
	rules    *callers.Rules
}

// Known is everything that vmblame knows, made once.
func Known() *Catalogue { return known() }

var known = sync.OnceValue(func() *Catalogue {
	return newCatalogue([]Family{
		elfFamily, loaderFamily, breakFamily, stackFamily, glibcFamily, muslFamily, jemallocFamily, tcmallocFamily, mimallocFamily, snmallocFamily, mozjemallocFamily, partitionAllocFamily,
		goFamily, jvmFamily, v8Family, spiderMonkeyFamily, javaScriptCoreFamily, pythonFamily, rubyFamily, ocamlFamily,
		phpFamily, beamFamily, sbclFamily, luajitFamily, bdwgcFamily, ghcFamily, monoFamily, innodbFamily, mysqlFamily, namedFamily, sanitizerFamily, fileFamily, kernelFamily, restFamily,
	})
})

// With returns a copy of c with one more family.
func (c *Catalogue) With(f Family) *Catalogue {
	return newCatalogue(append(slices.Clip(c.families), f))
}

func newCatalogue(families []Family) *Catalogue {
	c := &Catalogue{families: families, rows: map[Kind]*Row{}}
	var known []callers.Allocator
	for i := range families {
		f := &families[i]
		a := f.Caller
		a.Sources = f.Sources
		if !f.Language {
			a.Role, a.Modules = f.Role, f.Modules
		}
		known = append(known, a)
		for _, r := range f.Kinds {
			if r.Heading == nil {
				r.Heading = &Heading{Word: string(r.Kind), Words: r.Words}
			}
			c.kinds = append(c.kinds, r.Kind)
			c.rows[r.Kind] = &r
		}
	}
	c.rules = callers.NewRules(known)
	return c
}

// Row returns what is known about a kind; callers must not change it. An unknown kind gets a row that is named
// after its word.
func (c *Catalogue) Row(k Kind) *Row {
	if r := c.rows[k]; r != nil {
		return r
	}
	w := mass(string(k))
	return &Row{Kind: k, Words: w, Heading: &Heading{Word: string(k), Words: w}, Settings: ungoverned, Advise: noAdvice}
}

// Kinds returns all kinds.
func (c *Catalogue) Kinds() []Kind { return c.kinds }

// Callers returns the rules that decide who is to blame for a stack.
func (c *Catalogue) Callers() *callers.Rules { return c.rules }

// alsoRecorded are environment variables that change how a program uses memory in general, rather than the amount of
// one kind.
const alsoRecorded = "LD_LIBRARY_PATH LD_BIND_NOW MALLOC_PERTURB_ MALLOC_CHECK_ PYTHONMALLOCSTATS PYTHONPERFSUPPORT DOTNET_PerfMapEnabled"

// Variables are the variables of the environment that change how programs lay out memory, each once.
func (c *Catalogue) Variables() []string {
	list := strings.Fields(alsoRecorded)
	for _, k := range c.kinds {
		for _, x := range c.rows[k].Settings {
			if x.Where != Machine {
				list = append(list, x.Recorded()...)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// labelled returns the kind of memory that has this name, "" where no known program gives it.
func (c *Catalogue) labelled(name string) Kind {
	for i := range c.families {
		for _, l := range c.families[i].Labels {
			if strings.HasPrefix(name, l.Start) {
				return l.Kind
			}
		}
	}
	return ""
}
