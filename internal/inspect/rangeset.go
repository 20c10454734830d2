package inspect

import (
	"github.com/tidwall/btree"

	"github.com/vmblame/vmblame/internal/vm"
)

// rangeSet holds ranges that do not overlap; those that touch are one. The zero value is an empty set.
type rangeSet struct {
	ends btree.Map[uint64, uint64] // by where they start
}

// at returns the range that contains addr or else the next one above.
func (s *rangeSet) at(addr uint64) (vm.Range, bool) {
	var r vm.Range
	s.ends.Descend(addr, func(start, end uint64) bool {
		r = vm.Range{Start: start, End: end}
		return false
	})
	if r.Contains(addr) {
		return r, true
	}
	found := false
	s.ends.Ascend(addr, func(start, end uint64) bool {
		r, found = vm.Range{Start: start, End: end}, true
		return false
	})
	return r, found
}

// overlaps reports whether any byte of r is in the set.
func (s *rangeSet) overlaps(r vm.Range) bool {
	x, ok := s.at(r.Start)
	return ok && x.Start < r.End
}

// add puts a range into the set that does not overlap it.
func (s *rangeSet) add(r vm.Range) {
	if end, ok := s.ends.Get(r.End); ok {
		s.ends.Delete(r.End)
		r.End = end
	}
	s.ends.Descend(r.Start, func(start, end uint64) bool {
		if end == r.Start {
			r.Start = start
		}
		return false
	})
	s.ends.Set(r.Start, r.End)
}

// put puts a range into the set, parts of which may be in it.
func (s *rangeSet) put(r vm.Range) {
	for _, x := range s.free(r) {
		s.add(x)
	}
}

// remove takes a range out of the set, all of which is in it.
func (s *rangeSet) remove(r vm.Range) {
	x, _ := s.at(r.Start)
	s.ends.Delete(x.Start)
	if x.Start < r.Start {
		s.ends.Set(x.Start, r.Start)
	}
	if r.End < x.End {
		s.ends.Set(r.End, x.End)
	}
}

// free returns the parts of r that are not in the set.
func (s *rangeSet) free(r vm.Range) (out []vm.Range) {
	for r.Start < r.End {
		x, ok := s.at(r.Start)
		if !ok || x.Start >= r.End {
			return append(out, r)
		}
		if r.Start < x.Start {
			out = append(out, vm.Range{Start: r.Start, End: x.Start})
		}
		r.Start = x.End
	}
	return out
}

// ranges returns the ranges, ascending.
func (s *rangeSet) ranges() (out []vm.Range) {
	s.ends.Scan(func(start, end uint64) bool {
		out = append(out, vm.Range{Start: start, End: end})
		return true
	})
	return out
}
