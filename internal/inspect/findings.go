package inspect

import "github.com/vmblame/vmblame/internal/classify"

// findings collects what was found; the first to claim a byte keeps it.
type findings struct {
	list   []classify.Finding
	claims rangeSet
}

// add adds f unless a part of it is taken already, and reports whether it did. The rest of a finding of which
// a part is taken would be another thing than was recognised.
func (s *findings) add(f classify.Finding) bool {
	for _, p := range f.Parts {
		if p.Empty() || s.claims.overlaps(p.Range) {
			return false
		}
	}
	for _, p := range f.Parts {
		s.claims.add(p.Range)
	}
	s.list = append(s.list, f)
	return true
}
