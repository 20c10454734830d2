package unwind

import "testing"

// benchWalk is a stack of 24 frames in two files, whose functions all save rbx and rbp.
func benchWalk(b testing.TB) (*fixed, Regs) {
	const n = 12
	var entries []imageEntry
	for i := range n {
		// CFA = rsp+64, rbx at CFA-24, rbp at CFA-16.
		entries = append(entries, imageEntry{imageText + 0x100*uint32(i), 0x100,
			[]byte{cfaDefCFAOffset, 64, cfaOffset | RegRBX, 3, cfaOffset | RegRBP, 2}})
	}
	entries = append(entries, imageEntry{imageText + 0x100*n, 0x100, done})
	eh, starts := ehFrame("zR", usualCIE, entries)
	img := image(callText(), eh, entries, starts)
	x := &fixed{at: map[uint64]*Module{testBase: openImage(b, img), testBase + 0x100000: openImage(b, img)}}
	var stack []uint64
	for i := range 23 {
		base := uint64(testBase)
		if i%3 == 0 {
			base += 0x100000
		}
		fn := uint64(i % n)
		if i == 22 {
			fn = n
		}
		stack = append(stack, 1, 2, 3, 4, 5, 6, 7, base+imageText+0x100*fn+20)
	}
	x.memory = map[uint64][]byte{testStack: append(words(stack...), make([]byte, 16<<10)...)}
	return x, Regs{RegRSP: testStack, RegRIP: testBase + imageText + 10}
}

func BenchmarkWalkWarm(b *testing.B) {
	x, regs := benchWalk(b)
	s := NewSpace(x)
	var st Stack
	s.Walk(&regs, x, 0, &st)
	if len(st.Frames) != 24 || st.End != UndefinedRA {
		b.Fatal(st.dump())
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Walk(&regs, x, 0, &st)
	}
}

func BenchmarkWalkCold(b *testing.B) {
	b.ReportAllocs()
	var st Stack
	for b.Loop() {
		x, regs := benchWalk(b)
		NewSpace(x).Walk(&regs, x, 0, &st)
	}
}

func BenchmarkIntern(b *testing.B) {
	x, regs := benchWalk(b)
	var st Stack
	NewSpace(x).Walk(&regs, x, 0, &st)
	in := NewInterner()
	b.ReportAllocs()
	for b.Loop() {
		in.Intern(&st)
	}
}

// TestWarmWalkAllocates nothing, and reads the stack once.
func TestWarmWalkAllocatesNothing(t *testing.T) {
	x, regs := benchWalk(t)
	s := NewSpace(x)
	var st Stack
	in := NewInterner()
	if n := testing.AllocsPerRun(10, func() {
		s.Walk(&regs, x, 0, &st)
		in.Intern(&st)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	x.touched = map[uint64]int{}
	s.Walk(&regs, x, 0, &st)
	for page, n := range x.touched {
		if n != 1 {
			t.Errorf("page %#x read %d times", page, n)
		}
	}
	if len(x.touched) != 1 {
		t.Errorf("%d pages read for a stack of 1.5 KiB at the start of a page", len(x.touched))
	}
}
