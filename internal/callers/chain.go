package callers

import (
	"strings"

	"github.com/rivo/uniseg"
)

// A Chain is who made a mapping, innermost call first: it begins with the last library function before
// the program's own code and ends with main, or with the function that a thread began in. Where no call
// made it, it is one call: words that say so.
type Chain struct {
	Calls []string `json:"who,omitempty"`      // calls, innermost first, from the last library function before the program's own; or words, where no traced call did
	Keep  int      `json:"who_keep,omitempty"` // so many of the first calls are never elided: those up to the first of the program's own
}

// Words is a chain that is not a stack: "before attach".
func Words(text string) Chain { return Chain{[]string{text}, 1} }

// Source is the chain in comparable form: function names without compiler suffixes, which differ between builds of
// the same source.
func (c Chain) Source() Chain {
	names := make([]string, len(c.Calls))
	for i, name := range c.Calls {
		names[i] = withoutSuffix(name)
	}
	return Chain{names, c.Keep}
}

// Whole is all of the chain, each call by its name.
func (c Chain) Whole() string { return strings.Join(c.Calls, " < ") }

// Text joins the chain with " < ", as a person tells it. Where it is wider than width (0 means no limit) the outer calls, or
// those between, give way to "...".
func (c Chain) Text(width int) string {
	c = c.spoken()
	full := strings.Join(c.Calls, " < ")
	if width <= 0 || uniseg.StringWidth(full) <= width {
		return full
	}
	c.Calls = shortNames(c.Calls)
	if full = strings.Join(c.Calls, " < "); uniseg.StringWidth(full) <= width {
		return full
	}
	last := c.Calls[len(c.Calls)-1]
	for n := len(c.Calls) - 1; n >= c.Keep; n-- {
		head := strings.Join(c.Calls[:n], " < ")
		if t := head + " < ... < " + last; n < len(c.Calls)-1 && uniseg.StringWidth(t) <= width {
			return t
		}
		if t := head + " < ..."; uniseg.StringWidth(t) <= width {
			return t
		}
	}
	// The program's own function stays whole, even where it is wider than the column.
	if c.Keep < len(c.Calls) {
		return c.Calls[c.Keep-1] + " < ..."
	}
	return c.Calls[c.Keep-1]
}

// long is the width from which a name loses its generic arguments if lines must fit.
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
