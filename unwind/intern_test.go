package unwind

import (
	"runtime"
	"slices"
	"testing"
)

func TestIntern(t *testing.T) {
	m, other := NewModule(nil), NewModule(nil)
	base := Stack{Frames: []Frame{{PC: 0x1000, Module: m, Offset: 0x10}, {PC: 0x2000, Module: m, Offset: 0x20, How: CFI, Call: true}}}
	variants := []func(*Stack){
		func(*Stack) {},
		func(s *Stack) { s.End = NoCFI },
		func(s *Stack) { s.Frames = s.Frames[:1] },
		func(s *Stack) { s.Frames = nil },
		func(s *Stack) { s.Frames = append(s.Frames, s.Frames[1]) },
		func(s *Stack) { s.Frames[0], s.Frames[1] = s.Frames[1], s.Frames[0] },
		func(s *Stack) { s.Frames[1].PC++ },
		func(s *Stack) { s.Frames[1].Offset++ },
		func(s *Stack) { s.Frames[1].Module = other },
		func(s *Stack) { s.Frames[1].Module = nil },
		func(s *Stack) { s.Frames[1].How = FP },
		func(s *Stack) { s.Frames[1].Call = false },
		func(s *Stack) { s.Frames[0].Call = true },
	}
	in := NewInterner()
	for round := range 2 {
		for i, change := range variants {
			s := Stack{Frames: slices.Clone(base.Frames), End: base.End}
			change(&s)
			if id, fresh := in.Intern(&s); id != i+1 || fresh != (round == 0) {
				t.Errorf("round %d: variant %d is %d, fresh %v", round, i, id, fresh)
			}
		}
	}
	if len(in.ids) != len(variants) {
		t.Errorf("%d stacks", len(in.ids))
	}
}

// TestInternerMemory holds the promise that 100,000 distinct stacks of 24 frames take less than 30 MiB.
func TestInternerMemory(t *testing.T) {
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what earlier tests have left in pools goes with the second
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	mod := NewModule(nil)
	before := heap()
	in := NewInterner()
	st := Stack{Frames: make([]Frame, 24)}
	const n = 100_000
	for i := range n {
		for j := range st.Frames {
			st.Frames[j] = Frame{PC: uint64(i>>j) + uint64(j)<<32, Module: mod, Call: true}
		}
		in.Intern(&st)
	}
	used := heap() - before
	if len(in.ids) != n || used > 30<<20 {
		t.Errorf("%d stacks in %d KiB", len(in.ids), used>>10)
	}
	runtime.KeepAlive(in)
}
