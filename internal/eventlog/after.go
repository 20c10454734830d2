package eventlog

import "fmt"

// waiting is something that stands in the log before the event it comes after.
type waiting struct {
	after uint64
	do    func() error
}

// A LateError tells that a record comes after an event of its space that is not the last one.
type LateError struct {
	After uint64 // what the record says
	Last  uint64 // the last event of its space in front of it
}

// Error names both events.
func (e *LateError) Error() string {
	return fmt.Sprintf("it comes after event %d, but event %d of its space stands before it", e.After, e.Last)
}

// when does do as soon as event after of s has been folded.
func (p *Replay) when(s *SpaceState, after uint64, do func() error) error {
	switch {
	case after == s.Last:
		return do()
	case after < s.Last:
		do()
		return &LateError{after, s.Last}
	}
	s.waiting = append(s.waiting, waiting{after, do})
	return nil
}

// release does what waited for event seq of s, and what waited for an event that did not come.
func (s *SpaceState) release(seq uint64) error {
	var first error
	left := s.waiting[:0]
	for _, w := range s.waiting {
		if w.after > seq {
			left = append(left, w)
			continue
		}
		err := w.do()
		if w.after < seq && err == nil {
			err = fmt.Errorf("event %d, after which something came, is none of space %d", w.after, s.ID)
		}
		if first == nil {
			first = err
		}
	}
	s.waiting = left
	return first
}

// rest does at the end of a log what still waits.
func (p *Replay) rest() error {
	var first error
	for _, s := range p.spaces {
		if len(s.waiting) > 0 {
			if err := s.release(^uint64(0)); first == nil {
				first = err
			}
		}
	}
	return first
}
