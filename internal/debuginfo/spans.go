package debuginfo

import (
	"cmp"
	"slices"
	"sort"
)

// A span is the address range [lo, hi) and a reference.
type span struct {
	lo, hi uint64
	max    uint64 // the greatest hi of this span and those before it; set by sortSpans
	ref    uint64
}

// spans are sorted by lo; they may overlap.
type spans []span

// maxGap is the largest gap, in bytes, between two spans that add merges: no more than padding.
const maxGap = 64

// add appends a span that may cover addresses, or extends the last one if it has the same ref and adjoins: code
// compiled function by function has a range for each. It reports whether there was room: maxSpans bounds the list.
func (s *spans) add(lo, hi, ref uint64) bool {
	if n := len(*s); n > 0 {
		if last := &(*s)[n-1]; last.ref == ref && lo >= last.hi && lo-last.hi <= maxGap {
			last.hi = hi
			return true
		}
		if n == maxSpans {
			return false
		}
	}
	*s = append(*s, span{lo: lo, hi: hi, ref: ref})
	return true
}

func (s spans) sort() {
	slices.SortFunc(s, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(b.hi, a.hi))
	})
	var m uint64
	for i := range s {
		m = max(m, s[i].hi)
		s[i].max = m
	}
}

// at calls f for the spans that cover addr, innermost (last begun) first, until f returns false.
func (s spans) at(addr uint64, f func(span) bool) {
	i := sort.Search(len(s), func(i int) bool { return s[i].lo > addr })
	for i--; i >= 0 && s[i].max > addr; i-- {
		if s[i].hi > addr && !f(s[i]) {
			return
		}
	}
}
