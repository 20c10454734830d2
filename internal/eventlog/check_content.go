package eventlog

import (
	"cmp"
	"slices"

	"github.com/vmblame/vmblame/internal/vm"
)

// content checks that findings lie in memory that was mapped at that moment, and do not overlap.
func (c *checker) content(r *Content) {
	s := c.p.Space(r.Space)
	if !c.must(s != nil, "content: space %d is not known", r.Space) {
		return
	}
	var parts []vm.Range
	for i := range r.Findings {
		f := &r.Findings[i]
		c.must(f.Kind != "" && f.Evidence != "", "content of space %d: finding %d: no kind or no evidence", r.Space, i)
		c.must(f.Confidence == "certain" || f.Confidence == "likely" || f.Confidence == "guess",
			"content of space %d: finding %d: confidence %q is none of certain, likely, guess", r.Space, i, f.Confidence)
		c.must(len(f.Parts) > 0, "content of space %d: finding %d: no parts", r.Space, i)
		c.must(f.TID >= 0, "content of space %d: finding %d: tid %d", r.Space, i, f.TID)
		for _, p := range f.Parts {
			x := vm.Range{Start: uint64(p.Start), End: uint64(p.End)}
			if !c.must(x.Start < x.End && x.Start%vm.PageSize == 0 && x.End%vm.PageSize == 0, "content of space %d: finding %d: %v is no range of pages", r.Space, i, x) {
				return
			}
			parts = append(parts, x)
		}
		if b := f.Books; b != nil {
			c.must(b.Top <= b.Free && b.Free <= b.System, "content of space %d: finding %d: books of %d bytes with %d free and a top of %d", r.Space, i, b.System, b.Free, b.Top)
		}
	}
	slices.SortFunc(parts, func(a, b vm.Range) int { return cmp.Compare(a.Start, b.Start) })
	for i := 1; i < len(parts); i++ {
		c.must(parts[i-1].End <= parts[i].Start, "content of space %d: %v is two things", r.Space, parts[i-1].Intersect(parts[i]))
	}
	if err := s.comesAfter(r.After); err != nil {
		c.problem("content of space %d: %v", r.Space, err)
	}
	for _, x := range parts {
		c.must(s.Ledger.Covered(x), "content of space %d: not all of %v is mapped", s.ID, x)
	}
}
