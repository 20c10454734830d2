package inspect

import (
	"slices"
	"sort"

	"github.com/vmblame/vmblame/internal/vm"
)

// rangeSet holds ranges that do not overlap, ascending.
type rangeSet struct{ list []vm.Range }

// from is the index of the first range that ends above addr.
func (s *rangeSet) from(addr uint64) int {
	return sort.Search(len(s.list), func(i int) bool { return s.list[i].End > addr })
}

// overlaps reports whether any byte of r is in the set.
func (s *rangeSet) overlaps(r vm.Range) bool {
	i := s.from(r.Start)
	return i < len(s.list) && s.list[i].Start < r.End
}

// add puts a range into the set that does not overlap it.
func (s *rangeSet) add(r vm.Range) { s.list = slices.Insert(s.list, s.from(r.Start), r) }

// free yields the parts of r that are not in the set.
func (s *rangeSet) free(r vm.Range) (out []vm.Range) {
	for i := s.from(r.Start); i < len(s.list) && s.list[i].Start < r.End; i++ {
		if r.Start < s.list[i].Start {
			out = append(out, vm.Range{Start: r.Start, End: s.list[i].Start})
		}
		r.Start = s.list[i].End
	}
	if r.Start < r.End {
		out = append(out, r)
	}
	return out
}

// joined returns the ranges with those made one that touch.
func (s *rangeSet) joined() (out []vm.Range) {
	for _, r := range s.list {
		if n := len(out); n > 0 && out[n-1].End == r.Start {
			out[n-1].End = r.End
			continue
		}
		out = append(out, r)
	}
	return out
}
