package unwind

import (
	"encoding/binary"
	"testing"
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

// FuzzEntryTable indexes arbitrary bytes as .debug_frame and as .eh_frame and interprets what it finds.
func FuzzEntryTable(f *testing.F) {
	eh, _ := ehFrame("zPLR", usualCIE, []imageEntry{{0x1000, 0x100, nil}, {0x1100, 0x100, done}})
	f.Add(eh, true)
	df := binary.LittleEndian.AppendUint32(nil, 16)
	df = append(df, 0xff, 0xff, 0xff, 0xff, 4, 0, 8, 0, 1, 0x78, RegRIP, cfaDefCFA, RegRSP, 8, cfaOffset|RegRIP, 1)
	df = append(df, 20, 0, 0, 0, 0, 0, 0, 0)
	df = append(df, words(0x1000, 0x200)...)
	f.Add(df, false)
	f.Fuzz(func(t *testing.T, data []byte, isEH bool) {
		table := indexEntries(data, imageEH, isEH)
		if table == nil {
			return
		}
		for i, x := range table.list {
			if i > 0 && table.list[i-1].begin > x.begin {
				t.Fatal("not sorted")
			}
			if e, ok := table.find(x.begin); ok {
				func() {
					defer func() { recover() }() // as Module.row does for the interpreter
					e.interpret(x.begin, 0)
				}()
			}
			if i == 100 {
				break
			}
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
		m := openImage(t, image(nil, data, nil, nil))
		g := m.openGoTable(imageEH)
		if g == nil {
			return
		}
		look := imageText + uint64(pc)%0x1000
		r, ok := g.row(m, look)
		if ok && (r.kind != kindGo || r.cfaOff < 8) {
			t.Fatalf("%+v", r)
		}
		g.adjust(m, &r, look, true)
	})
}

// goTableSeed is a table of Go 1.20 with one function, "main.f" of 0x40 bytes: no frame for 4 bytes, then 16
// bytes of it.
func goTableSeed() []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, magicGo120)
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
	m := openImage(t, image(nil, goTableSeed(), nil, nil))
	g := m.openGoTable(imageEH)
	if g == nil {
		t.Fatal("no table")
	}
	for _, c := range []struct {
		pc   uint64
		cfa  int32
		want bool
	}{{imageText, 8, true}, {imageText + 3, 8, true}, {imageText + 4, 24, true}, {imageText + 0x3f, 24, true},
		{imageText + 0x40, 0, false}, {imageText - 1, 0, false}} {
		if r, ok := g.row(m, c.pc); ok != c.want || r.cfaOff != c.cfa {
			t.Errorf("%#x: CFA rsp+%d, %v, want %d, %v", c.pc, r.cfaOff, ok, c.cfa, c.want)
		}
	}
	if f, ok := g.find(m, imageText+1); !ok || g.name(m, f) != "main.f" || g.flags(m, f) != 0 {
		t.Errorf("%+v is %q", f, g.name(m, f))
	}
}
