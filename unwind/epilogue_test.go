package unwind

import (
	"bufio"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestEpilogueAgainstTables follows the code behind every call of a static program, C library and all, and
// compares the frame it finds with the one the program's unwind table gives.
func TestEpilogueAgainstTables(t *testing.T) {
	path := compile(t, "deep.c", "-O2", "-static")
	p := startTracee(t, nil, nil, path)
	regs := p.mark()
	m, _, ok := p.CodeAt(regs[RegRIP])
	if !ok {
		t.Fatalf("no code at %#x", regs[RegRIP])
	}
	testenv.Need(t, "objdump")
	cmd := exec.Command("objdump", "-d", "-w", "--section=.text", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	total, same, none, wrong, registers := 0, 0, 0, 0, 0
	afterCall := false
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		f := strings.SplitN(lines.Text(), "\t", 3)
		if len(f) < 3 {
			afterCall = false
			continue
		}
		pc, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(f[0]), ":"), 16, 64)
		was := afterCall
		afterCall = strings.HasPrefix(f[2], "call")
		if err != nil || !was {
			continue
		}
		r := m.row(vm.CodeAddr{PC: pc, Call: true})
		if r.kind != kindCFA {
			continue
		}
		total++
		m.mu.Lock()
		set := m.epilogue(vm.CodeAddr{PC: pc, Call: true})
		m.mu.Unlock()
		switch {
		case set == nil:
			none++
			continue
		case set.cfa.reg == r.cfaReg && set.cfa.off == int64(r.cfaOff):
			same++
		case set.cfa.reg == r.cfaReg:
			wrong++
			t.Logf("%#x: CFA is r%d%+d, the table says r%d%+d", pc, set.cfa.reg, set.cfa.off, r.cfaReg, r.cfaOff)
			continue
		default: // one goes by rsp, the other by rbp
			continue
		}
		for i, reg := range savedRegs {
			got := int32(sameValue)
			for _, x := range set.regs {
				if x.reg == reg && x.rule.kind == ruleAtReg && x.rule.reg == set.cfa.reg {
					got = int32(x.rule.off - set.cfa.off)
				}
			}
			if got != r.saved[i] {
				registers++
				if registers < 20 {
					t.Logf("%#x: register %d at CFA%+d, the table says %+d", pc, reg, got, r.saved[i])
				}
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d returns: %d the same, %d not found, %d wrong, %d registers wrong", total, same, none, wrong, registers)
	// Many calls of a C library do not return; of the others nearly all are found, and what is found is right.
	if total < 2000 || same*4 < total*3 || wrong*200 > total || registers*200 > total {
		t.Error("too few found, or too many wrong")
	}
}

// FuzzEpilogue follows arbitrary code. It must end, and must not panic.
func FuzzEpilogue(f *testing.F) {
	f.Add([]byte{0x48, 0x83, 0xc4, 0x18, 0x5b, 0x5d, 0xc3}, true)                                                  // add $24,%rsp; pop %rbx; pop %rbp; ret
	f.Add([]byte{0x85, 0xc0, 0x74, 0x02, 0xc9, 0xc3, 0x48, 0x8d, 0x65, 0xf0, 0x5b, 0x41, 0x5c, 0x5d, 0xc3}, false) // both ways with rbp
	f.Add([]byte{0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0x5c, 0x24, 0xf8, 0xe8, 0, 0, 0, 0, 0x48, 0x8b, 0x5c, 0x24, 0xf8, 0xeb, 0xeb}, true)
	f.Fuzz(func(t *testing.T, code []byte, call bool) {
		m := openImage(t, image(code, nil, nil, nil))
		set := m.epilogue(vm.CodeAddr{PC: imageText, Call: call})
		if set != nil && (set.cfa.kind != ruleReg || set.regs[0].reg != RegRIP || len(set.regs) > 1+len(savedRegs)) {
			t.Fatalf("%+v", set)
		}
	})
}

func TestEpilogue(t *testing.T) {
	for _, c := range []struct {
		name string
		code []byte
		cfa  string
		rbx  string
	}{
		{"pops", []byte{0x48, 0x83, 0xc4, 0x10, 0x5b, 0x5d, 0xc3}, "r7+40", "r7+16"},                 // add $16,%rsp; pop %rbx; pop %rbp; ret
		{"leave", []byte{0x48, 0x8b, 0x5d, 0xf8, 0xc9, 0xc3}, "r6+16", "r6-8"},                       // mov -8(%rbp),%rbx; leave; ret
		{"lea", []byte{0x48, 0x8d, 0x65, 0xf8, 0x5b, 0x5d, 0xc3}, "r6+16", "r6-8"},                   // lea -8(%rbp),%rsp; pop %rbx; pop %rbp; ret
		{"branch", []byte{0x74, 0x01, 0xf4, 0x5b, 0xc3}, "r7+16", "r7+0"},                            // je 1f; hlt; 1: pop %rbx; ret
		{"tail call", []byte{0x5b, 0xeb, 0x01, 0xcc, 0x53, 0x31, 0xdb, 0x5b, 0xc3}, "r7+16", "r7+0"}, // pop %rbx; jmp f; f: push %rbx; xor; pop %rbx; ret
		{"ways disagree", []byte{0x74, 0x01, 0xc3, 0x5b, 0xc3}, "", ""},
		{"rsp from elsewhere", []byte{0x48, 0x89, 0xc4, 0xc3}, "", ""}, // mov %rax,%rsp; ret
		{"aligned rsp", []byte{0x48, 0x83, 0xe4, 0xf0, 0xc3}, "", ""},  // and $-16,%rsp; ret
		{"a loop", []byte{0xeb, 0xfe}, "", ""},
		{"returns to what it pushed", []byte{0x50, 0xc3}, "", ""},
	} {
		m := openImage(t, image(c.code, nil, nil, nil))
		set := m.epilogue(vm.CodeAddr{PC: imageText})
		cfa, rbx := "", ""
		if set != nil {
			cfa = fmt.Sprintf("r%d%+d", set.cfa.reg, set.cfa.off)
			for _, x := range set.regs {
				if x.reg == RegRBX {
					rbx = fmt.Sprintf("r%d%+d", x.rule.reg, x.rule.off)
				}
			}
		}
		if cfa != c.cfa || rbx != c.rbx {
			t.Errorf("%s: CFA %q, rbx at %q, want %q, %q", c.name, cfa, rbx, c.cfa, c.rbx)
		}
	}
}
