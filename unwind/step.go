package unwind

import "github.com/vmblame/vmblame/internal/vm"

// Each step replaces regs by those of the caller's frame, or says why it cannot.

func (s *Space) stepCFA(r *row, regs *Regs) (bool, End) {
	w := s.win
	cfa := regs[r.cfaReg] + uint64(int64(r.cfaOff))
	ra, ok := w.u64(cfa + uint64(int64(r.ra)))
	if !ok {
		return false, UnreadableStack
	}
	for i, off := range r.saved {
		if off == sameValue {
			continue
		}
		v, ok := w.u64(cfa + uint64(int64(off)))
		if !ok {
			return false, UnreadableStack
		}
		regs[savedRegs[i]] = v
	}
	regs[RegRSP], regs[RegRIP] = cfa, ra
	return true, 0
}

// stepGo is stepCFA for Go functions, whose tables do not say where rbp is saved. The compiler pushes it
// first and points rbp there, in every function that has a frame; before that and after the pop it points
// to a frame further out. Functions called from C (crosscall2, sigtramp) save it twice.
func (s *Space) stepGo(r *row, regs *Regs) (bool, End) {
	cfa := regs[r.cfaReg] + uint64(int64(r.cfaOff))
	ra, ok := s.win.u64(cfa + uint64(int64(r.ra)))
	if !ok {
		return false, UnreadableStack
	}
	for bp := regs[RegRBP]; bp >= regs[RegRSP] && bp < cfa; bp = regs[RegRBP] {
		if regs[RegRBP], ok = s.win.u64(bp); !ok {
			return false, UnreadableStack
		}
		if regs[RegRBP] <= bp {
			break
		}
	}
	regs[RegRSP], regs[RegRIP] = cfa, ra
	return true, 0
}

func (s *Space) stepRules(set *ruleSet, regs *Regs) (bool, End) {
	s.old = *regs
	cfa, ok, end := s.value(&set.cfa, 0, true)
	if !ok {
		return false, end
	}
	regs[RegRSP] = cfa
	for i := range set.regs {
		x := &set.regs[i]
		if regs[x.reg], ok, end = s.value(&x.rule, cfa, false); !ok {
			return false, end
		}
	}
	return true, 0
}

// value computes a rule from the registers in s.old.
func (s *Space) value(x *rule, cfa uint64, isCFA bool) (v uint64, ok bool, end End) {
	switch x.kind {
	case ruleAtCFA:
		v, ok = s.win.u64(cfa + uint64(x.off))
	case ruleCFAPlus:
		return cfa + uint64(x.off), true, 0
	case ruleReg:
		return s.old[x.reg] + uint64(x.off), true, 0
	case ruleAtReg:
		v, ok = s.win.u64(s.old[x.reg] + uint64(x.off))
	case ruleAtExpr, ruleExpr:
		initial := &cfa
		if isCFA {
			initial = nil
		}
		if v, ok = evaluate(x.expr, &s.old, initial, s.win); !ok {
			return 0, false, ExprFailed
		}
		if x.kind == ruleAtExpr {
			v, ok = s.win.u64(v)
		}
	}
	return v, ok, UnreadableStack
}

// gregs is the order of the registers in the kernel's struct sigcontext (arch/x86/include/uapi/asm/ sigcontext.h),
// which is at offset 40 of the struct ucontext that rsp points to in a signal trampoline.
var gregs = [...]uint8{RegR8, RegR9, RegR10, RegR11, RegR12, RegR13, RegR14, RegR15, RegRDI, RegRSI,
	RegRBP, RegRBX, RegRDX, RegRAX, RegRCX, RegRSP, RegRIP}

func (s *Space) stepSigframe(regs *Regs) (bool, End) {
	at := regs[RegRSP] + 40
	for i, reg := range gregs {
		v, ok := s.win.u64(at + 8*uint64(i))
		if !ok {
			return false, UnreadableStack
		}
		regs[reg] = v
	}
	return true, 0
}

// stepSwitch loads the caller's registers from the frame record (saved rbp, return address) at bp, on whatever stack
// that is. It reports whether there is a valid one.
func (s *Space) stepSwitch(regs *Regs, bp uint64) bool {
	if bp == 0 || bp%8 != 0 {
		return false
	}
	saved, ok1 := s.win.u64(bp)
	ra, ok2 := s.win.u64(bp + 8)
	if !ok1 || !ok2 || !s.returnAddress(ra) {
		return false
	}
	regs[RegRBP], regs[RegRIP], regs[RegRSP] = saved, ra, bp+16
	return true
}

// maxFPFrame is the largest distance from rsp to a believable rbp.
const maxFPFrame = 64 << 20

// stepUntold finds the caller of a frame that no table describes.
func (s *Space) stepUntold(r *row, regs *Regs, how How, first bool) (next How, ok bool, end End) {
	end = r.end
	if how == FP {
		end = BadFP
	}
	sp := regs[RegRSP]
	if set := r.rules; set != nil {
		before := *regs
		if ok, _ := s.stepRules(set, regs); ok && regs[RegRSP] > sp && s.returnAddress(regs[RegRIP]) {
			return Epilogue, true, 0
		}
		*regs = before
	}
	if first && r.flags&flagSyscall != 0 {
		// System call stubs push nothing before the instruction; rbp is their caller's.
		if ra, ok := s.win.u64(sp); ok && s.returnAddress(ra) {
			regs[RegRSP], regs[RegRIP] = sp+8, ra
			return Leaf, true, 0
		}
	}
	bp := regs[RegRBP]
	if bp < sp || bp-sp > maxFPFrame || bp%8 != 0 {
		return FP, false, end
	}
	saved, ok1 := s.win.u64(bp)
	ra, ok2 := s.win.u64(bp + 8)
	if !ok1 || !ok2 || !s.returnAddress(ra) {
		return FP, false, end
	}
	regs[RegRBP], regs[RegRIP], regs[RegRSP] = saved, ra, bp+16
	return FP, true, 0
}

// returnAddress reports whether a word can be a return address: executable, and after a call instruction. The latter
// is not required of code in no file: interpreters push return addresses without a call (HotSpot's does).
func (s *Space) returnAddress(ra uint64) bool {
	r := s.row(vm.CodeAddr{PC: ra, Call: true})
	return r != nil && (r.flags&(flagAfterCall|flagSignal) != 0 || r.module.file == nil)
}
