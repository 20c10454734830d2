package classify

import (
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
)

// A clue is a list of functions, and what it means that one of them is on the stack.
type clue struct {
	kind      Kind
	words     Words    // as Verdict.Name, none for the kind's
	functions []string // as for callers.Matches
}

// clue returns the first of a list that has a function on the stack, and that function.
func (c *chain) clue(list []clue) (*clue, string) {
	for i := range list {
		if f := c.find(list[i].functions...); f != "" {
			return &list[i], f
		}
	}
	return nil, ""
}

// find returns the innermost of these functions on the stack, "" for none.
func (c *chain) find(functions ...string) string {
	for _, f := range c.frames {
		if callers.Matches(f.name, functions) {
			return f.name
		}
	}
	return ""
}

// calledBy reports whether one of these functions called the system call's wrapper.
func (c *chain) calledBy(functions ...string) bool { return callers.Matches(c.by().name, functions) }

// provenBy reports whether the caller of the system call's wrapper is a function of a family's, and not one of
// the program's that is called alike ("alloc_mmap", "new_heap"): it lies in a file of the family, has a name that
// nobody else gives, or a second one of the family's functions is on the stack.
func (c *chain) provenBy(f *Family) bool {
	proven, known := c.proven[f]
	if !known && !c.by().of(f) {
		return false
	}
	if !known {
		by, prefix := c.by(), f.Caller.Prefix
		proven = f.has(by.in) || strings.Contains(by.name, "::") || prefix != "" && callers.Unprefixed(by.name, prefix) != by.name || c.distinct(prefix, f.proof()) > 1
		if f == &glibcFamily && by.module != "" && c.throughGlibc() {
			proven = f.has(by.in) // where glibc is a file of its own, its functions are in it
		}
		if c.proven == nil {
			c.proven = map[*Family]bool{}
		}
		c.proven[f] = proven
	}
	return proven
}

// of reports whether a function may be one of the family's by the file of its source.
func (f frame) of(family *Family) bool {
	return f.source == "" || family.Sources == nil || callers.Matches(f.source, family.Sources)
}

// throughGlibc reports whether the stack passes through glibc as a file of its own, which it begins in where it is whole.
func (c *chain) throughGlibc() bool {
	return slices.ContainsFunc(c.frames, func(f frame) bool { return f.in.IsGlibc() })
}

// distinct returns how many of these functions are on the stack, each counted once, whatever stands before the prefix.
func (c *chain) distinct(prefix string, functions []string) int {
	seen := map[string]bool{}
	for _, f := range c.frames {
		name := f.name
		if prefix != "" {
			name = callers.Unprefixed(name, prefix)
		}
		if callers.Matches(name, functions) {
			seen[name] = true
		}
	}
	return len(seen)
}
