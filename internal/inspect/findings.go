package inspect

import "github.com/vmblame/vmblame/internal/classify"

// findings collects findings; the first one to claim a byte keeps it.
type findings struct {
	list   []classify.Finding
	claims rangeSet
	parts  int
}

// maxParts bounds the parts of all findings.
const maxParts = 1 << 18

// add adds f unless part of it is already claimed, and reports whether it did. The rest of a partly claimed finding
// would not be the object that was recognised.
func (s *findings) add(f classify.Finding) bool {
	if s.parts += len(f.Parts); len(f.Parts) == 0 || s.parts > maxParts {
		return false
	}
	for i, p := range f.Parts {
		if p.Empty() || s.claims.overlaps(p.Range) {
			for _, taken := range f.Parts[:i] { // by f itself, whose parts overlap
				s.claims.remove(taken.Range)
			}
			return false
		}
		s.claims.add(p.Range)
	}
	s.list = append(s.list, f)
	return true
}
