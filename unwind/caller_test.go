package unwind

import "testing"

// TestCallerOf: what a table says of the frame behind a call, and nothing where it has another rule, or no call ends there.
func TestCallerOf(t *testing.T) {
	text := callText()
	copy(text[0xf00:], sigreturn[:])
	var entries []imageEntry
	for i, p := range [][]byte{nil, {cfaDefCFAOffset, 64}, {cfaDefCFA, RegRBP, 16}, done, {cfaDefCFA, RegRBX, 8}, {cfaRestoreState}} {
		entries = append(entries, imageEntry{imageText + 0x100*uint32(i), 0x100, p})
	}
	eh, starts := ehFrame("zR", usualCIE, entries)
	m := openImage(t, image(text, eh, entries, starts))
	in := func(i int) uint64 { return after(i) - testBase }
	for _, x := range []struct {
		pc   uint64
		want Caller
		ok   bool
	}{
		{in(10), Caller{Register: RegRSP, Offset: 8}, true},
		{in(60), Caller{Register: RegRSP, Offset: 64}, true},
		{in(110), Caller{Register: RegRBP, Offset: 16}, true},
		{in(160), Caller{Outermost: true}, true},
		{pc: in(210)}, {pc: in(260)}, {pc: in(400)}, // another register, a malformed table, none
		{pc: in(60) + 1}, {pc: 0}, {pc: 1 << 62},
	} {
		if got, ok := m.CallerOf(x.pc); got != x.want || ok != x.ok {
			t.Errorf("%#x: %+v, %v", x.pc, got, ok)
		}
	}
	for pc, want := range map[uint64]bool{in(60): false, in(60) + 1: true, imageText + 0xf00: false, 4: false, 1 << 62: false} {
		if m.Uncalled(pc) != want {
			t.Errorf("%#x can be a return address: %v", pc, want)
		}
	}
	if _, ok := NewModule(nil).CallerOf(in(10)); ok || NewModule(nil).Uncalled(in(60)+1) {
		t.Error("a module without a file tells something")
	}
}
