package eventlog

// idSet is a set of positive numbers that come mostly as 1, 2, 3 …
type idSet struct {
	below  int // all of 1 … below are in it
	others map[int]bool
}

// add tells whether id is positive and was not in the set.
func (s *idSet) add(id int) bool {
	if id <= 0 || s.has(id) {
		return false
	}
	if id != s.below+1 {
		if s.others == nil {
			s.others = map[int]bool{}
		}
		s.others[id] = true
		return true
	}
	s.below++
	for len(s.others) > 0 && s.others[s.below+1] {
		s.below++
		delete(s.others, s.below)
	}
	return true
}

func (s *idSet) has(id int) bool { return id > 0 && id <= s.below || s.others[id] }
