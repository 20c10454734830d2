package order

import "slices"

// Stamps holds the returned calls of one address space that wait for their place, where the source knows the kernel's
// order. The zero value is empty.
type Stamps[C any] struct{ queue []stamped[C] }

type stamped[C any] struct {
	stamp uint64
	call  C
}

// Add puts a call in its place: before those with a later stamp, behind those with the same.
func (s *Stamps[C]) Add(stamp uint64, c C) {
	i := len(s.queue)
	for i > 0 && s.queue[i-1].stamp > stamp {
		i--
	}
	s.queue = slices.Insert(s.queue, i, stamped[C]{stamp, c})
}

// Len is the number of calls that wait.
func (s *Stamps[C]) Len() int { return len(s.queue) }

// Last is the latest stamp of the calls that wait, 0 if none.
func (s *Stamps[C]) Last() uint64 {
	if len(s.queue) == 0 {
		return 0
	}
	return s.queue[len(s.queue)-1].stamp
}

// Due returns the first call if its place is certain. The source has reported every call with a stamp up to complete,
// except those under way, the oldest of which has the stamp open (0 for none).
func (s *Stamps[C]) Due(complete, open uint64) (c C, ok bool) {
	if len(s.queue) == 0 || s.queue[0].stamp > complete || open != 0 && s.queue[0].stamp > open {
		return c, false
	}
	return s.queue[0].call, true
}

// Take removes and returns the first call; there must be one.
func (s *Stamps[C]) Take() C {
	c := s.queue[0].call
	s.queue = slices.Delete(s.queue, 0, 1)
	return c
}

// All yields the calls that wait, in order.
func (s *Stamps[C]) All(yield func(C) bool) {
	for i := range s.queue {
		if !yield(s.queue[i].call) {
			return
		}
	}
}
