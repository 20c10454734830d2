package eventlog

// stacks keeps the call stacks of a log in little memory: there may be a million of them, of far fewer
// different frames.
type stacks struct {
	frames []Frame
	number map[Frame]uint32 // in frames
	slab   []uint32         // frames of all stacks, one stack after the other
	byID   map[int]stored
	ends   []string // the few words of Stack.End
}

type stored struct {
	first    uint64 // in slab
	count    uint32
	end      uint16
	complete bool
}

func (s *stacks) put(st *Stack) {
	if s.byID == nil {
		s.byID = map[int]stored{}
		s.number = map[Frame]uint32{}
	}
	e := stored{first: uint64(len(s.slab)), count: uint32(len(st.Frames)), end: s.word(st.End), complete: st.Complete}
	for _, f := range st.Frames {
		n, ok := s.number[f]
		if !ok {
			n = uint32(len(s.frames))
			s.frames = append(s.frames, f)
			s.number[f] = n
		}
		s.slab = append(s.slab, n)
	}
	s.byID[st.Stack] = e
}

// word gives the number of a reason. Those past the 65,535th different one share the last number.
func (s *stacks) word(end string) uint16 {
	for i, w := range s.ends {
		if w == end {
			return uint16(i)
		}
	}
	if len(s.ends) < 1<<16 {
		s.ends = append(s.ends, end)
	}
	return uint16(len(s.ends) - 1)
}

// get appends the frames of stack id to dst.
func (s *stacks) get(id int, dst []Frame) (Stack, bool) {
	e, ok := s.byID[id]
	if !ok {
		return Stack{}, false
	}
	for _, n := range s.slab[e.first : e.first+uint64(e.count)] {
		dst = append(dst, s.frames[n])
	}
	return Stack{Stack: id, Frames: dst, Complete: e.complete, End: s.ends[e.end]}, true
}
