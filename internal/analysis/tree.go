package analysis

import (
	"slices"
	"strings"
)

// byStack lists the bytes of p as a tree of calls, the outermost first. A call that only leads to one other
// stands in its line.
func (s *State) byStack(p *process) []*holder {
	root := &holder{}
	children := map[*holder]map[string]*holder{}
	for _, t := range s.objects(p) {
		counted := map[*holder]bool{}
		for _, x := range t.mappings {
			at := root
			calls := slices.Clone(s.who(p, x).Calls)
			slices.Reverse(calls)
			for _, c := range calls {
				if children[at] == nil {
					children[at] = map[string]*holder{}
				}
				next := children[at][c]
				if next == nil {
					next = &holder{label: c, calls: []string{c}}
					children[at][c] = next
					at.parts = append(at.parts, next)
				}
				n := x.totals()
				if !counted[next] {
					counted[next], n.objects = true, 1
				}
				next.totals.add(&n)
				at = next
			}
			// What the calls made is told at the last of them.
			at.mappings = append(at.mappings, x)
		}
	}
	for _, h := range root.parts {
		collapse(h)
	}
	return root.parts
}

// collapse joins calls that lead to a single other call and made nothing themselves into one line.
func collapse(h *holder) {
	for len(h.parts) == 1 && len(h.mappings) == 0 {
		next := h.parts[0]
		h.calls = append(h.calls, next.calls...)
		h.mappings, h.parts = next.mappings, next.parts
	}
	for _, x := range h.parts {
		collapse(x)
	}
	if len(h.mappings) > 0 {
		h.kind = h.mappings[0].Kind
		h.kinds = kindsOf(h.mappings)
	}
	h.label = strings.Join(h.calls, " > ")
	if len(h.kinds) > 0 {
		h.label += ": " + strings.Join(h.kinds, ", ")
	}
}

// kindsOf names the kinds of mappings, each once.
func kindsOf(list []*mapping) []string {
	var names []string
	for _, x := range list {
		n := x.row.Heading.Words.One
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}
