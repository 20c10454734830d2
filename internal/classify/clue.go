package classify

import "github.com/vmblame/vmblame/internal/callers"

// clue is what functions on a call stack tell.
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

// calledBy reports whether the caller of the system call's wrapper is one of these.
func (c *chain) calledBy(functions ...string) bool { return callers.Matches(c.by().name, functions) }
