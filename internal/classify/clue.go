package classify

import "strings"

// clue is what functions on a call stack tell. A function that ends in "*" stands for all that begin so.
type clue struct {
	kind      Kind
	words     Words // as Verdict.Name, none for the kind's
	functions []string
}

// clue returns the first of a list that has a function on the stack, and that function.
func (c *chain) clue(list []clue) (*clue, string) {
	for i := range list {
		for _, f := range c.frames {
			if f.name == "" {
				continue
			}
			for _, want := range list[i].functions {
				if matches(f.name, want) {
					return &list[i], f.name
				}
			}
		}
	}
	return nil, ""
}

// one returns the innermost of these functions on the stack, "" for none.
func (c *chain) one(functions []string) string {
	_, f := c.clue([]clue{{functions: functions}})
	return f
}

// matches reports whether a name is the one wanted, or begins with it where that ends in "*".
func matches(name, want string) bool {
	start, many := strings.CutSuffix(want, "*")
	if many {
		return strings.HasPrefix(name, start)
	}
	return name == want
}

// calledBy reports whether the caller of the system call's wrapper is one of these.
func (c *chain) calledBy(functions ...string) bool {
	by := c.by().name
	if by == "" {
		return false
	}
	for _, want := range functions {
		if matches(by, want) {
			return true
		}
	}
	return false
}
