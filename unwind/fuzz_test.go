package unwind

import (
	"encoding/binary"
	"testing"

	"github.com/vmblame/vmblame/internal/ehframe"
	"github.com/vmblame/vmblame/internal/gopclntab"
	"github.com/vmblame/vmblame/internal/vm"
)

// FuzzWalk unwinds with arbitrary unwind entries, stack and registers. It must not panic, and must not return
// more frames than asked for; every frame but the first must be executable.
func FuzzWalk(f *testing.F) {
	entries := []imageEntry{
		{imageText, 0x100, []byte{cfaDefCFAOffset, 24}},
		{imageText + 0x100, 0x100, []byte{cfaDefCFAExpr, 3, 0x77, 8, 0x06}},
		{imageText + 0x200, 0x100, []byte{cfaAdvanceLoc | 2, cfaRememberState, cfaDefCFA, RegRBP, 16, cfaRestoreState}},
		{imageText + 0x300, 0x100, done},
	}
	eh, starts := ehFrame("zRS", usualCIE, entries)
	f.Add(eh, words(1, 2, in1, testStack+32, in2, in3, 4, 5), uint16(2), uint16(16))
	eh, _ = ehFrame("zR", usualCIE, entries)
	f.Add(eh, words(in1, in2, in3), uint16(0x102), uint16(0))
	f.Add(eh, words(in1, testStack, after(700)), uint16(0xa00), uint16(8))
	f.Fuzz(func(t *testing.T, eh, stack []byte, pc, rbp uint16) {
		if len(eh) > imageHdr-imageEH {
			return
		}
		text := callText()
		copy(text[0xf00:], sigreturn[:])
		m := openImage(t, image(text, eh, entries, starts))
		x := &fixed{at: map[uint64]*Module{testBase: m, jitBase: NewModule(nil)}, memory: map[uint64][]byte{testStack: stack}}
		regs := Regs{RegRSP: testStack, RegRIP: testBase + imageText + uint64(pc)%0x1000, RegRBP: testStack + uint64(rbp)}
		s := NewSpace(x)
		var st, again Stack
		s.Walk(&regs, x, 50, &st)
		s.Walk(&regs, x, 50, &again)
		if len(st.Frames) == 0 || len(st.Frames) > 50 || st.dump() != again.dump() {
			t.Fatalf("first:\n%ssecond:\n%s", st.dump(), again.dump())
		}
		for _, f := range st.Frames {
			if f.Module == nil {
				t.Fatalf("frame without code:\n%s", st.dump())
			}
		}
	})
}

// FuzzInterpret interprets arbitrary bytes as an unwind table entry. Only delve's interpreter may panic.
func FuzzInterpret(f *testing.F) {
	programs := [][]byte{{cfaDefCFAOffset, 64, cfaOffset | RegRBX, 3}, {cfaDefCFAExpr, 3, 0x77, 8, 0x06}, done}
	for _, aug := range []string{"zR", "zRS"} {
		var entries []imageEntry
		for i, p := range programs {
			entries = append(entries, imageEntry{imageText + 0x100*uint32(i), 0x100, p})
		}
		eh, starts := ehFrame(aug, usualCIE, entries)
		for i, at := range starts {
			end := uint32(len(eh))
			if i+1 < len(starts) {
				end = starts[i+1]
			}
			f.Add(eh[4:starts[0]], eh[at+4:end], uint64(imageEH+at), true, uint64(imageText+0x100*i+2))
		}
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 4, 0, 8, 0, 1, 0x78, RegRIP, cfaDefCFA, RegRSP, 8, cfaOffset | RegRIP, 1},
		append(make([]byte, 4), words(0x1000, 0x200)...), uint64(0), false, uint64(0x1100))
	whole := func(b []byte) []byte { // with the length in front, and the 4 bytes behind it that all entries have
		b = append(binary.LittleEndian.AppendUint32(nil, uint32(max(4, len(b)))), b...)
		return append(b, make([]byte, max(0, 8-len(b)))...)
	}
	f.Fuzz(func(t *testing.T, cie, fde []byte, vaddr uint64, eh bool, pc uint64) {
		e := ehframe.Entry{CIE: whole(cie), FDE: whole(fde), Vaddr: vaddr, EH: eh}
		defer func() { recover() }() // as Module.row does
		r, err := interpret(&e, pc, 0)
		if err == nil && r.kind == kindRules && r.rules == nil {
			t.Fatalf("%+v", r)
		}
	})
}

// FuzzGoTable reads arbitrary bytes as a Go function table.
func FuzzGoTable(f *testing.F) {
	f.Add(goTableSeed(), uint32(0))
	f.Fuzz(func(t *testing.T, data []byte, pc uint32) {
		if len(data) > imageHdr-imageEH {
			return
		}
		g := goTableOf(t, data)
		if g == nil {
			return
		}
		look := imageText + uint64(pc)%0x1000
		r, ok := goRow(g, look)
		if ok && (r.kind != kindGo || r.cfaOff < 8) {
			t.Fatalf("%+v", r)
		}
		goAdjust(g, &r, vm.CodeAddr{PC: look + 1, Call: true})
	})
}

// goTableOf opens data as the function table of an image.
func goTableOf(t testing.TB, data []byte) *gopclntab.Table {
	m := openImage(t, image(nil, data, nil, nil))
	return gopclntab.OpenAt(m.file, m.mem, imageEH, imageHdr)
}

// goTableSeed is a pclntab of Go 1.20 with one function, "main.f", 0x40 bytes long: for its first 4 bytes the frame
// size is 0, then 16.
func goTableSeed() []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xfffffff1) // the layout since Go 1.20
	b = append(b, 0, 0, 1, 8)
	const names, pctab, functab = 80, 96, 112
	b = append(b, words(1, 0, imageText, names, 0, 0, pctab, functab)...)
	b = append(b, make([]byte, functab-len(b))...)
	copy(b[names:], "main.f")
	copy(b[pctab:], []byte{0, 2, 4, 32, 0x3c, 0})
	for _, v := range []uint32{0, 12, 0x40, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0} {
		b = le.AppendUint32(b, v)
	}
	return b
}

func TestGoTable(t *testing.T) {
	g := goTableOf(t, goTableSeed())
	if g == nil {
		t.Fatal("no table")
	}
	for _, c := range []struct {
		pc   uint64
		cfa  int32
		want bool
	}{{imageText, 8, true}, {imageText + 3, 8, true}, {imageText + 4, 24, true}, {imageText + 0x3f, 24, true},
		{imageText + 0x40, 0, false}, {imageText - 1, 0, false}} {
		if r, ok := goRow(g, c.pc); ok != c.want || r.cfaOff != c.cfa {
			t.Errorf("%#x: CFA rsp+%d, %v, want %d, %v", c.pc, r.cfaOff, ok, c.cfa, c.want)
		}
	}
	if f, ok := g.Find(imageText + 1); !ok || g.Name(&f) != "main.f" || f.Flag() != 0 {
		t.Errorf("%+v is %q", f, g.Name(&f))
	}
}
