package report

import (
	"slices"
	"strings"
)

// byStack lists the bytes of p as a tree of calls, the outermost first. A call that only leads to one other
// stands in its line.
func (s *Scene) byStack(p *process) []*share {
	root := &share{}
	children := map[*share]map[string]*share{}
	for _, t := range p.things() {
		for _, x := range t.pieces {
			n := x.sums()
			if x == t.first {
				n.things = 1
			}
			at := root
			calls := slices.Clone(s.who(p, x).Calls)
			slices.Reverse(calls)
			for _, c := range calls {
				if children[at] == nil {
					children[at] = map[string]*share{}
				}
				next := children[at][c]
				if next == nil {
					next = &share{label: c, calls: []string{c}}
					children[at][c] = next
					at.parts = append(at.parts, next)
				}
				next.sums.add(&n)
				at = next
			}
			// What the calls made is told at the last of them.
			at.pieces = append(at.pieces, x)
		}
	}
	for _, h := range root.parts {
		collapse(h)
	}
	return root.parts
}

// collapse puts calls that lead to one other, with nothing of their own, into one line.
func collapse(h *share) {
	for len(h.parts) == 1 && len(h.pieces) == 0 {
		next := h.parts[0]
		h.calls = append(h.calls, next.calls...)
		h.pieces, h.parts = next.pieces, next.parts
	}
	for _, x := range h.parts {
		collapse(x)
	}
	if len(h.pieces) > 0 {
		h.kind = h.pieces[0].Kind
		h.kinds = kindsOf(h.pieces)
	}
	h.label = strings.Join(h.calls, " > ")
	if len(h.kinds) > 0 {
		h.label += ": " + strings.Join(h.kinds, ", ")
	}
}

// kindsOf names what pieces are, each kind once.
func kindsOf(list []*piece) []string {
	var names []string
	for _, x := range list {
		n := x.row.Heading.Words.One
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}
