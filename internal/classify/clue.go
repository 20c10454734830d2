package classify

import (
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
)

// A clue is a list of functions, and what a mapping is if one of them is on the stack.
type clue struct {
	kind      Kind
	words     Words    // for Verdict.Name; empty for those of the kind
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

// provenBy reports whether the caller of the system call's wrapper really is a function of the family, not one of the
// program's with the same name ("alloc_mmap", "new_heap"). It is if it lies in a file of the family, if its name is
// unique to the family, or if a second function of the family is on the stack.
func (c *chain) provenBy(f *Family) bool {
	proven, known := c.proven[f]
	if !known && !c.by().of(f) {
		return false
	}
	if !known {
		by, prefix := c.by(), f.Caller.Prefix
		proven = f.has(by.in) || strings.Contains(by.name, "::") || prefix != "" && callers.Unprefixed(by.name, prefix) != by.name || c.distinct(prefix, f.proof()) > 1
		if f == &glibcFamily && by.module != "" && c.throughGlibc() {
			proven = f.has(by.in) // with a shared glibc, its functions can only be in that file
		}
		if c.proven == nil {
			c.proven = map[*Family]bool{}
		}
		c.proven[f] = proven
	}
	return proven
}

// of reports whether the source file of a function, if known, is one of the family's, and whether the function is local to
// it if it has to be.
func (f frame) of(family *Family) bool {
	if f.global && slices.Contains(family.Static, f.name) && !family.has(f.in) {
		return false
	}
	return f.source == "" || family.Sources == nil || callers.Matches(f.source, family.Sources)
}

// throughGlibc reports whether a frame of the stack lies in a shared glibc. A complete stack starts in it, if the
// program uses one.
func (c *chain) throughGlibc() bool {
	return slices.ContainsFunc(c.frames, func(f frame) bool { return f.in.IsGlibc() })
}

// distinct returns how many different ones of these functions are on the stack. Names are compared from prefix on.
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
