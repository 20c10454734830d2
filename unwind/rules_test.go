package unwind

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

const (
	testBase  = 0x7f0000000000 // where the image is mapped
	testStack = 0x7ffd00001000
	jitBase   = 0x10000000 // where code without a file is mapped
)

// text is code of nothing but calls: e8 00 00 00 00 over and over, so that every fifth byte is behind one.
func callText() []byte {
	b := make([]byte, 0x1000)
	for i := 0; i+5 <= len(b); i += 5 {
		b[i] = 0xe8
	}
	return b
}

// after returns a return address of the image: behind call number i.
func after(i int) uint64 { return testBase + imageText + 5*uint64(i) }

// walkImage unwinds from pc with rsp at the stack's first word. Function n of the image lies at
// [0x1000+0x100*n, +0x100) and has the n-th program; what is beyond has none.
func walkImage(t testing.TB, augmentation string, programs [][]byte, regs Regs, stack ...uint64) *Stack {
	t.Helper()
	text := callText()
	copy(text[0xf00:], sigreturn[:])
	copy(text[0xe00:], []byte{0x0f, 0x05})
	var entries []imageEntry
	for i, p := range programs {
		entries = append(entries, imageEntry{imageText + 0x100*uint32(i), 0x100, p})
	}
	eh, starts := ehFrame(augmentation, usualCIE, entries)
	x := &fixed{
		at:     map[uint64]*Module{testBase: openImage(t, image(text, eh, entries, starts)), jitBase: NewModule(nil)},
		memory: map[uint64][]byte{testStack: words(stack...)},
	}
	if regs[RegRSP] == 0 {
		regs[RegRSP] = testStack
	}
	if regs[RegRIP] == 0 {
		regs[RegRIP] = testBase + imageText + 2
	}
	var st Stack
	NewSpace(x).Walk(&regs, x, 0, &st)
	return &st
}

func expect(t *testing.T, st *Stack, end End, pcs ...uint64) {
	t.Helper()
	ok := st.End == end && len(st.Frames) == len(pcs)
	for i := 0; ok && i < len(pcs); i++ {
		ok = st.Frames[i].PC == pcs[i]
	}
	if !ok {
		t.Errorf("want %#x and %v:\n%s", pcs, end, st.dump())
	}
}

// Return addresses in functions 1, 2 and 3 of the image. 0x100/5 is 51 and a bit.
var (
	in1 = after(52)
	in2 = after(103)
	in3 = after(154)
)

// done is the program of a function without a caller.
var done = []byte{cfaUndefined, RegRIP}

func TestRegisterRules(t *testing.T) {
	frame := func(b ...byte) []byte { return b }
	t.Run("constant frames", func(t *testing.T) {
		// Function 0 has 16 bytes of frame: CFA = rsp+24, RA at CFA-8. Function 1 has none.
		st := walkImage(t, "zR", [][]byte{frame(cfaDefCFAOffset, 24), nil, done}, Regs{}, 1, 2, in1, in2)
		expect(t, st, UndefinedRA, testBase+imageText+2, in1, in2)
		if f := st.Frames[1]; f.How != CFI || !f.Call || f.Offset != in1-testBase {
			t.Errorf("frame 1: %+v", f)
		}
		if f := st.Frames[0]; f.How != PC || f.Call {
			t.Errorf("frame 0: %+v", f)
		}
	})
	t.Run("rbp", func(t *testing.T) {
		// Function 0: CFA = rbp+16, rbp at CFA-16. Function 1 the same: its rbp is the one saved in 0.
		p := frame(cfaDefCFA, RegRBP, 16, cfaOffset|RegRBP, 2)
		st := walkImage(t, "zR", [][]byte{p, p, done}, Regs{RegRBP: testStack + 16},
			7, 7, testStack+40, in1, 7, 0, in2)
		expect(t, st, UndefinedRA, testBase+imageText+2, in1, in2)
	})
	t.Run("any register", func(t *testing.T) {
		// Function 0: CFA = r10+8. Function 1: the return address is in rbx, which 0 had saved at CFA-16.
		st := walkImage(t, "zR", [][]byte{frame(cfaDefCFA, RegR10, 8, cfaOffset|RegRBX, 2),
			frame(cfaRegister, RegRIP, RegRBX), done}, Regs{RegR10: testStack + 16}, 7, in2, in1, 7)
		expect(t, st, UndefinedRA, testBase+imageText+2, in1, in2)
	})
	t.Run("expressions", func(t *testing.T) {
		// Function 0: CFA = the word at rsp+8 (breg7 8, deref); RA at CFA-8. Function 1, as in a PLT:
		// CFA = rsp + 8 + 8*((rip & 15) >= 11).
		plt := frame(cfaDefCFAExpr, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22)
		st := walkImage(t, "zR", [][]byte{frame(cfaDefCFAExpr, 3, 0x77, 8, 0x06), plt, done}, Regs{},
			7, testStack+32, 7, after(53), in2, in3)
		// after(53) is ...9: the stub has pushed nothing.
		expect(t, st, UndefinedRA, testBase+imageText+2, after(53), in2)
		st = walkImage(t, "zR", [][]byte{frame(cfaDefCFAExpr, 3, 0x77, 8, 0x06), plt, done}, Regs{},
			7, testStack+32, 7, after(54), 7, in2)
		expect(t, st, UndefinedRA, testBase+imageText+2, after(54), in2) // ...e: it has pushed one word
	})
	t.Run("expression on the CFA", func(t *testing.T) {
		// RA at the address CFA-16 (the CFA is on the expression's stack: lit16, minus).
		st := walkImage(t, "zR", [][]byte{frame(cfaDefCFAOffset, 24, cfaExpression, RegRIP, 2, 0x40, 0x1c), done},
			Regs{}, 7, in1, 7)
		expect(t, st, UndefinedRA, testBase+imageText+2, in1)
	})
	t.Run("popped return address", func(t *testing.T) {
		// As in vfork: the return address is in rdi, and the CFA is rsp itself. Function 1 does it again,
		// which no caller can.
		p := frame(cfaDefCFA, RegRSP, 0, cfaRegister, RegRIP, RegRDI)
		expect(t, walkImage(t, "zR", [][]byte{p, done}, Regs{RegRDI: in1}, 7), UndefinedRA, testBase+imageText+2, in1)
		expect(t, walkImage(t, "zR", [][]byte{p, p}, Regs{RegRDI: in1}, 7), CFANotAdvancing, testBase+imageText+2, in1)
	})
	t.Run("restore", func(t *testing.T) {
		// The return address is declared undefined, then restored to what the common entry says.
		st := walkImage(t, "zR", [][]byte{frame(cfaOffset|RegRIP, 2, cfaRestore|RegRIP), done}, Regs{}, in1)
		expect(t, st, UndefinedRA, testBase+imageText+2, in1)
		// A saved register restored is the caller's own again, not lost: CFA = rbx+8 in function 1.
		st = walkImage(t, "zR", [][]byte{frame(cfaOffset|RegRBX, 1, cfaRestore|RegRBX), frame(cfaDefCFA, RegRBX, 8), done},
			Regs{RegRBX: testStack + 16}, in1, 7, in2)
		expect(t, st, UndefinedRA, testBase+imageText+2, in1, in2)
	})
	t.Run("rows by pc", func(t *testing.T) {
		// From the third byte on the frame is 8 bytes larger; pc itself counts in the first frame, the byte
		// before it in others.
		p := frame(cfaAdvanceLoc|2, cfaDefCFAOffset, 16)
		st := walkImage(t, "zR", [][]byte{p, done}, Regs{RegRIP: testBase + imageText + 1}, in1)
		expect(t, st, UndefinedRA, testBase+imageText+1, in1)
		st = walkImage(t, "zR", [][]byte{p, done}, Regs{RegRIP: testBase + imageText + 2}, 7, in1)
		expect(t, st, UndefinedRA, testBase+imageText+2, in1)
	})
}

func TestEnds(t *testing.T) {
	start := uint64(testBase + imageText + 2)
	for _, c := range []struct {
		name    string
		program []byte
		regs    Regs
		end     End
		stack   []uint64
		pcs     []uint64
	}{
		{"a return address that is none", nil, Regs{}, PCNotExec, []uint64{0x4141414141414141}, []uint64{start}},
		{"a return address in data", nil, Regs{}, PCNotExec, []uint64{testBase + imageEH + 1}, []uint64{start}},
		{"a CFA below", []byte{cfaDefCFA, RegRBX, 8}, Regs{RegRBX: testStack - 16}, UnreadableStack, nil, []uint64{start}},
		{"a CFA that falls", []byte{cfaDefCFA, RegRBX, 8}, Regs{RegRSP: testStack + 16, RegRBX: testStack}, CFANotAdvancing,
			[]uint64{in1, 7, 7, 7}, []uint64{start}},
		{"an unreadable stack", []byte{cfaDefCFAOffset, 0x80, 0x80, 4}, Regs{}, UnreadableStack, []uint64{in1}, []uint64{start}},
		{"an expression that divides by zero", []byte{cfaDefCFAExpr, 3, 0x31, 0x30, 0x1b}, Regs{}, ExprFailed, nil, []uint64{start}},
		{"a malformed table", []byte{cfaRestoreState}, Regs{}, BadFDE, []uint64{in1}, []uint64{start}},
		{"an operation that is not known", []byte{0x3b}, Regs{}, BadFDE, []uint64{in1}, []uint64{start}},
		{"a greedy expression", []byte{cfaDefCFAExpr, 6, 0x9e, 0xff, 0xff, 0xff, 0xff, 0x7f}, Regs{}, BadFDE, nil, []uint64{start}},
		{"a first pc that is none", nil, Regs{RegRIP: 0x10}, PCNotExec, []uint64{in1}, []uint64{0x10}},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, walkImage(t, "zR", [][]byte{c.program, done}, c.regs, c.stack...), c.end, c.pcs...)
		})
	}
	t.Run("too deep", func(t *testing.T) {
		for _, depth := range []int{defaultDepth, defaultDepth + 1, 300, 700, 5000, maxWalk + 100} {
			var stack []uint64
			for range depth - 2 {
				stack = append(stack, in1)
			}
			st := walkImage(t, "zR", [][]byte{nil, nil, done}, Regs{}, append(stack, in2)...)
			end, total := UndefinedRA, depth
			if depth > maxWalk {
				end, total = MaxDepth, maxWalk
			}
			outer := &st.Frames[defaultDepth/2]
			if st.End != end || len(st.Frames) != defaultDepth || outer.Omitted != total-defaultDepth {
				t.Errorf("%d frames: %d of them, %d omitted, %v", depth, len(st.Frames), outer.Omitted, st.End)
			}
			if last := st.Frames[defaultDepth-1]; end == UndefinedRA && last.PC != in2 {
				t.Errorf("%d frames: the last one is %#x", depth, last.PC)
			}
			for i := range st.Frames {
				if i != defaultDepth/2 && st.Frames[i].Omitted != 0 {
					t.Errorf("%d frames: frames are omitted before frame %d too", depth, i)
				}
			}
		}
	})
}

func TestFramePointers(t *testing.T) {
	const beyond = testBase + imageText + 0xa00 // no table from function 10 on
	a := after(520)
	for _, c := range []struct {
		name  string
		rbp   uint64
		end   End
		stack []uint64
		pcs   []uint64
	}{
		{"a chain", testStack + 8, UndefinedRA, []uint64{7, testStack + 32, a, 7, 0, in1}, []uint64{beyond, a, in1}},
		{"a chain that ends in zero", testStack + 8, BadFP, []uint64{7, 0, a}, []uint64{beyond, a}},
		{"no chain", 0, NoCFI, []uint64{7, 0, a}, []uint64{beyond}},
		{"below the stack", testStack - 64, NoCFI, []uint64{7, 0, a}, []uint64{beyond}},
		{"unaligned", testStack + 4, NoCFI, []uint64{7, 0, a}, []uint64{beyond}},
		{"not behind a call", testStack + 8, NoCFI, []uint64{7, 0, a + 1}, []uint64{beyond}},
		{"a loop", testStack + 8, BadFP, []uint64{7, testStack + 8, a}, []uint64{beyond, a}},
		{"through code without a file", testStack + 8, UndefinedRA,
			[]uint64{7, testStack + 32, jitBase + imageText + 1, 7, 0, in1}, []uint64{beyond, jitBase + imageText + 1, in1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			expect(t, walkImage(t, "zR", [][]byte{nil, done}, Regs{RegRIP: beyond, RegRBP: c.rbp}, c.stack...), c.end, c.pcs...)
		})
	}
	t.Run("a stub without a frame", func(t *testing.T) {
		// Behind a syscall instruction the word at rsp goes before rbp, if it is a return address.
		pc := uint64(testBase + imageText + 0xe02)
		st := walkImage(t, "zR", [][]byte{nil, done}, Regs{RegRIP: pc, RegRBP: testStack + 16}, a, 7, 0, in1)
		expect(t, st, UndefinedRA, pc, a, in1)
		if st.Frames[1].How != Leaf || st.Frames[2].How != FP {
			t.Error(st.dump())
		}
		st = walkImage(t, "zR", [][]byte{nil, done}, Regs{RegRIP: pc, RegRBP: testStack + 16}, 7, 7, 0, in1)
		expect(t, st, UndefinedRA, pc, in1)
	})
}

func TestSignalFrames(t *testing.T) {
	t.Run("augmentation", func(t *testing.T) {
		// Function 1 is a trampoline: CFA = the word at rsp, RA at CFA-8; the interrupted stack lies lower.
		// What it interrupted is the first byte of function 2: one less would be another function.
		interrupted := uint64(testBase + imageText + 0x200)
		st := walkImage(t, "zRS", [][]byte{nil, {cfaDefCFAExpr, 3, 0x77, 0, 0x06}, done}, Regs{RegRSP: testStack + 16},
			7, interrupted, in1, testStack+16)
		// Function 0 has the augmentation, too, so its caller was interrupted: no trampoline is a call.
		expect(t, st, UndefinedRA, testBase+imageText+2, in1, interrupted)
		for i, f := range st.Frames {
			if f.Call {
				t.Errorf("frame %d: %+v", i, f)
			}
		}
	})
	t.Run("instructions", func(t *testing.T) {
		// A trampoline without a table: rsp points to a ucontext, whose registers begin at +40.
		tramp := uint64(testBase + imageText + 0xf00)
		stack := []uint64{tramp, 1, 2, 3, 4, 5}
		for i := range gregs {
			stack = append(stack, uint64(100+i))
		}
		stack[6+15] = testStack + 8*30 // rsp
		stack[6+16] = testBase + imageText
		for len(stack) < 30 {
			stack = append(stack, 0)
		}
		stack = append(stack, in1)
		st := walkImage(t, "zR", [][]byte{nil, done}, Regs{}, stack...)
		expect(t, st, UndefinedRA, testBase+imageText+2, tramp, testBase+imageText, in1)
		want := []Frame{{How: PC}, {How: CFI}, {How: Sigframe}, {How: CFI, Call: true}}
		for i, f := range st.Frames {
			if f.How != want[i].How || f.Call != want[i].Call {
				t.Errorf("frame %d: %+v", i, f)
			}
		}
	})
}

// TestSpaces forks, and changes the code of one of the two.
func TestSpaces(t *testing.T) {
	entries := []imageEntry{{imageText, 0x100, nil}, {imageText + 0x100, 0x100, done}}
	eh, starts := ehFrame("zR", usualCIE, entries)
	m := openImage(t, image(callText(), eh, entries, starts))
	x := &fixed{at: map[uint64]*Module{testBase: m}, memory: map[uint64][]byte{testStack: words(in1)}}
	regs := Regs{RegRSP: testStack, RegRIP: testBase + imageText}
	var st Stack
	walk := func(s *Space, asked int, end End, frames int) {
		t.Helper()
		x.asked = 0
		s.Walk(&regs, x, 0, &st)
		if x.asked != asked || st.End != end || len(st.Frames) != frames {
			t.Errorf("%d pcs asked for, %v after %d frames; want %d, %v after %d", x.asked, st.End, len(st.Frames), asked, end, frames)
		}
	}
	parent := NewSpace(x)
	walk(parent, 2, UndefinedRA, 2)
	walk(parent, 0, UndefinedRA, 2)
	child := parent.Fork(x)
	walk(child, 0, UndefinedRA, 2)
	page := vm.Range{Start: testBase + imageText, End: testBase + imageEH}
	child.Invalidate(vm.Range{Start: page.End, End: page.End + 1<<30})
	child.Invalidate(vm.Range{Start: 0, End: page.Start})
	walk(child, 0, UndefinedRA, 2)
	child.Invalidate(page)
	walk(parent, 0, UndefinedRA, 2)
	x.at = nil
	walk(child, 1, PCNotExec, 1)
	walk(parent, 0, UndefinedRA, 2)
	parent.Invalidate(vm.Range{Start: in1 - 1, End: in1}) // the byte that the return address is looked up by
	walk(parent, 1, PCNotExec, 1)
}

func TestReasons(t *testing.T) {
	for h := PC; h <= GoSwitch; h++ {
		if h.String() == fmt.Sprintf("how-%d", h) {
			t.Errorf("How %d has no name", h)
		}
	}
	complete := map[string]bool{"undefined-ra": true, "elf-entry": true, "goexit": true}
	for e := UndefinedRA; e <= MaxDepth; e++ {
		if e.String() == fmt.Sprintf("end-%d", e) || e.Complete() != complete[e.String()] {
			t.Errorf("End %d: %v, complete %v", e, e, e.Complete())
		}
	}
	if len(howNames) != int(GoSwitch)+1 || len(endNames) != int(MaxDepth)+1 {
		t.Error("more names than values")
	}
}

// TestVDSO looks into the kernel's own shared object, which is in no file: every function must have rules.
func TestVDSO(t *testing.T) {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := vm.ParseMaps(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	for _, x := range maps {
		if x.File.Path != "[vdso]" {
			continue
		}
		b := make([]byte, x.Len())
		if _, err := mem.ReadAt(b, int64(x.Start)); err != nil {
			t.Fatal(err)
		}
		e, err := elf.NewFile(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		list, err := e.DynamicSymbols()
		if err != nil || len(list) == 0 {
			t.Fatalf("%d symbols, %v", len(list), err)
		}
		m := openImage(t, b)
		for _, s := range list {
			if elf.ST_TYPE(s.Info) != elf.STT_FUNC {
				continue
			}
			for _, pc := range []uint64{s.Value, s.Value + s.Size - 1} {
				if r := m.row(vm.CodeAddr{PC: pc}); r.kind == kindFP || r.how != CFI {
					t.Errorf("%s+%#x: %+v", s.Name, pc-s.Value, r)
				}
			}
		}
		return
	}
	t.Fatal("no vdso")
}
