package classify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
)

// A Family is all that is known of one thing that maps memory: an allocator, a runtime, the loader, the
// kernel. Who adds one writes a value and puts it into the list of families; one that Calls do not suffice
// for has a rule too.
type Family struct {
	Kinds   []Row
	Modules []string                  // its files, by how their names begin
	Role    callers.Role              // its files, by what they are: see Exports; "" where only names tell
	Exports []string                  // the dynamic symbols that a file of its exports, all of them
	Is      func(callers.Module) bool // reports whether a file is one of its, nil where the three above tell
	// Language: it runs a program in some language. Its files and functions are then those of the program; those of
	// an allocator never are who asked for memory.
	Language bool
	Caller   callers.Allocator // its functions, where they are no answer to who asked for memory either
	Labels   []Label           // the names that it gives with prctl(2) PR_SET_VMA
	// Calls are the functions that call mmap's wrapper for it, and Own those of which one is on the stack where
	// that is for its metadata. What it maps is of the first of Kinds, its metadata of the second. A name alone is
	// no proof: beside the caller another one of these, of Caller's Functions, or of Beside is wanted on the stack. A
	// family with a rule of its own has no Calls, and in Beside all that prove it.
	Calls, Own, Beside []string
}

// proof is the functions of which two on a stack prove that it is the family's.
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

// A Row is all that is known of a kind. A column that says nothing says so: no test lets one be left out.
type Row struct {
	Kind     Kind
	Words    Words
	Heading  *Heading // what it is counted under; nil in a family: its own words
	Minor    bool     // it is a part of things that have a better name
	MadeBy   string   // what a comparison says before who made it: "first malloc in"
	Settings Settings
	Advise   Advise
}

// Words are what people call something.
type Words struct{ One, Many string }

// mass are words that have no plural.
func mass(one string) Words { return Words{one, one} }

// words have the usual plural.
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

// A Heading is what kinds are listed and compared under.
type Heading struct {
	Word  string // the kind's, where it is listed alone
	Words Words
	Told  Told
}

// Told says how the things below a heading are told.
type Told uint8

// The values of Told.
const (
	AsThings Told = iota // counted, or one with its detail: "3 thread stacks", "thread stack of thread 9"
	AsFiles              // by the names of their files: "code and data of libc.so.6"
	AsOne                // by the heading alone
)

// A Label is how the names begin that a program gives to one kind of its memory, without leading blanks.
type Label struct {
	Start string
	Kind  Kind
}

// A Catalogue is what vmblame knows of those who map memory, and of the kinds of memory. It is not changed
// once it is made, and safe for concurrent use.
type Catalogue struct {
	families []Family
	kinds    []Kind
	rows     map[Kind]*Row
	rules    *callers.Rules
}

// Known is everything that vmblame knows.
func Known() *Catalogue {
	return newCatalogue([]Family{
		elfFamily, loaderFamily, breakFamily, stackFamily, glibcFamily, muslFamily, jemallocFamily, tcmallocFamily, mimallocFamily, snmallocFamily,
		goFamily, jvmFamily, v8Family, pythonFamily, rubyFamily, ocamlFamily,
		phpFamily, beamFamily, sbclFamily, luajitFamily, bdwgcFamily, innodbFamily, namedFamily, sanitizerFamily, fileFamily, kernelFamily, restFamily,
	})
}

// With is c and a family more.
func (c *Catalogue) With(f Family) *Catalogue {
	return newCatalogue(append(slices.Clip(c.families), f))
}

func newCatalogue(families []Family) *Catalogue {
	c := &Catalogue{families: families, rows: map[Kind]*Row{}}
	var known []callers.Allocator
	for i := range families {
		f := &families[i]
		a := f.Caller
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

// Row returns what is known of a kind; nobody may change it. A kind of which nothing is known is called by
// its word.
func (c *Catalogue) Row(k Kind) *Row {
	if r := c.rows[k]; r != nil {
		return r
	}
	w := mass(string(k))
	return &Row{Kind: k, Words: w, Heading: &Heading{Word: string(k), Words: w}, Settings: ungoverned, Advise: noAdvice}
}

// Kinds returns all kinds.
func (c *Catalogue) Kinds() []Kind { return c.kinds }

// Callers are the rules that say who is to blame of a stack.
func (c *Catalogue) Callers() *callers.Rules { return c.rules }

// alsoRecorded are variables that change what programs do, but not how much there is of any one kind.
const alsoRecorded = "LD_LIBRARY_PATH LD_BIND_NOW MALLOC_PERTURB_ MALLOC_CHECK_ PYTHONMALLOCSTATS"

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

// labelled is the kind of memory that its program gave a name, "" where the name is nobody's we know.
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
