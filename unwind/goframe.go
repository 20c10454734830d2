package unwind

import (
	"strings"

	"github.com/vmblame/vmblame/internal/gopclntab"
	"github.com/vmblame/vmblame/internal/vm"
)

// goRow makes the rule of a Go function from its stack size.
func goRow(t *gopclntab.Table, pc uint64) (row, bool) {
	f, ok := t.Find(pc)
	if !ok {
		return row{}, false
	}
	size, ok := t.StackSize(&f, pc)
	if !ok {
		return row{}, false
	}
	r := row{kind: kindGo, how: GoPclntab, cfaReg: RegRSP, cfaOff: size + 8, ra: -8}
	for i := range r.saved {
		r.saved[i] = sameValue
	}
	return r, true
}

// goAdjust adds what neither .debug_frame nor the stack sizes describe: where goroutines begin, and where the runtime
// switches stacks (runtime/asm_amd64.s, runtime/traceback.go).
func goAdjust(t *gopclntab.Table, r *row, at vm.CodeAddr) {
	f, ok := t.Find(at.Lookup())
	if !ok {
		return
	}
	if r.kind == kindCFA && r.how == DebugFrame {
		r.kind = kindGo
	}
	switch name := strings.TrimSuffix(t.Name(&f), ".abi0"); name {
	case "runtime.goexit", "runtime.mstart", "runtime.rt0_go":
		r.kind, r.end = kindEnd, GoExit
	case "runtime.mcall", "runtime.switchToCrashStack0":
		// On the scheduler's stack. The goroutine it switched from is parked and not part of this stack.
		if at.Call {
			r.kind, r.end = kindEnd, GoExit
		}
	case "runtime.morestack":
		// On the thread's stack with rbp cleared; the goroutine's registers are in its g.
		if at.Call {
			r.kind, r.how = kindSwitchG, GoSwitch
		}
	case "runtime.asmcgocall":
		// On the thread's stack. The goroutine's stack may be moved while C code calls back.
		if at.Call {
			r.kind, r.how = kindSwitchC, GoSwitch
		}
	case "runtime.sigtramp", "runtime.cgoSigtramp", "runtime.sigprofNonGoWrapper":
		// Marked as outermost, but its return address leads on to the interrupted code.
	default:
		switch flag := f.Flag(); {
		case flag&gopclntab.TopFrame != 0:
			r.kind, r.end = kindEnd, GoExit
		case at.Call && (flag&gopclntab.SPWrite != 0 || name == "runtime.systemstack"):
			// It has moved rsp to another stack (systemstack, cgocallback) or aligned it
			// (callCgoMmap), which the tables do not follow; rbp still points to the frame it had first.
			r.kind, r.how = kindSwitch, GoSwitch
		}
	}
}

// Offsets into the runtime's g and m (runtime/runtime2.go), unchanged from Go 1.16 to 1.26 but for the last
// two, whose candidates are told apart by checking that the g found belongs to the same m.
const (
	gStackHi = 8
	gM       = 48
	gSchedSP = 56
	gSchedPC = 64
	mG0      = 0
)

// switchToG replaces regs by those of the goroutine from which the thread's g0 (in r14) was entered. If the
// structures do not have the expected shape the End is StackSwitch; if they do but name no goroutine, the scheduler
// has parked it and this stack ends here: GoExit.
func switchToG(regs *Regs, w *window) (bool, End) {
	word := func(addr uint64) uint64 {
		v, ok := w.u64(addr)
		if !ok {
			return 0
		}
		return v
	}
	g0 := regs[RegR14]
	if g0 == 0 || g0%8 != 0 {
		return false, StackSwitch
	}
	m := word(g0 + gM)
	if m == 0 || word(m+mG0) != g0 {
		return false, StackSwitch
	}
	for at := m + 160; at <= m+224; at += 8 { // m.curg
		g := word(at)
		if g == 0 || g == g0 || g%8 != 0 || word(g+gM) != m {
			continue
		}
		lo, hi, sp, pc := word(g), word(g+gStackHi), word(g+gSchedSP), word(g+gSchedPC)
		if lo >= hi || sp < lo || sp >= hi || pc == 0 {
			continue
		}
		regs[RegRSP], regs[RegRIP], regs[RegR14], regs[RegRBP] = sp, pc, g, 0
		for _, off := range []uint64{96, 104} { // g.sched.bp
			if bp := word(g + off); bp > sp && bp < hi {
				regs[RegRBP] = bp
				break
			}
		}
		return true, 0
	}
	return false, GoExit
}

// savedG lists where asmcgocall keeps the goroutine and its depth (the distance of its rsp from the top of its
// stack) in its frame on the thread's stack, now and in older versions.
var savedG = [...]struct{ g, depth uint64 }{{8, 0}, {48, 40}}

// stepSwitchC steps from asmcgocall's frame on the thread's stack to the frame on the goroutine's stack that rbp
// pointed to before that stack was moved. It reports whether it found that frame.
func (s *Space) stepSwitchC(regs *Regs) bool {
	for _, at := range savedG {
		g, ok1 := s.win.u64(regs[RegRSP] + at.g)
		depth, ok2 := s.win.u64(regs[RegRSP] + at.depth)
		if !ok1 || !ok2 || g == 0 || g%8 != 0 || depth == 0 || depth%8 != 0 {
			continue
		}
		lo, ok1 := s.win.u64(g)
		hi, ok2 := s.win.u64(g + gStackHi)
		if ok1 && ok2 && lo < hi && depth < hi-lo && s.stepSwitch(regs, hi-depth) {
			return true
		}
	}
	// It did not switch: the thread had been on its own stack already.
	return s.stepSwitch(regs, regs[RegRBP])
}
