package unwind

import "github.com/vmblame/vmblame/internal/vm"

// defaultDepth is the depth of a walk if none is given.
const defaultDepth = 256

// maxWalk is the most frames that a walk visits.
const maxWalk = 1 << 16

// Walk unwinds the thread with these registers into st, whose slice is reused: at most max frames (0: 256), innermost
// first, and why it ended. Of a deeper stack it keeps the inner and the outer half of max, up to 65536 frames in all. regs are those of the stopped thread; at a syscall-exit-stop they are as the kernel left
// them. mem is not retained. A walk over known code allocates nothing.
func (s *Space) Walk(regs *Regs, mem RawMemory, max int, st *Stack) {
	if max <= 0 {
		max = defaultDepth
	}
	st.Frames = st.Frames[:0]
	s.regs = *regs
	s.mem = mem
	s.win.reset(mem, regs[RegRSP], s.depth)
	st.End = s.walk(&s.regs, max, st)
	st.keepEnds(max)
	// The stack used by this walk is the guess for the next; it falls slowly, since deep and shallow calls mix.
	used := s.regs[RegRSP] - regs[RegRSP]
	if used > maxFirst {
		used = maxFirst
	}
	if used >= s.depth {
		s.depth = used
	} else {
		s.depth -= (s.depth - used) / 8
	}
	s.win.release()
	s.mem = nil
}

// keepEnds leaves out frames from the middle, where there are more than max. What was left out there before counts as well.
func (st *Stack) keepEnds(max int) {
	surplus, inner := len(st.Frames)-max, (max+1)/2
	if surplus <= 0 {
		return
	}
	omitted := surplus
	for i := range st.Frames[inner : inner+surplus] {
		omitted += st.Frames[inner+i].Omitted
	}
	st.Frames = append(st.Frames[:inner], st.Frames[inner+surplus:]...)
	if inner == len(st.Frames) {
		st.End = MaxDepth // there is no outer half
		return
	}
	st.Frames[inner].Omitted += omitted
}

func (s *Space) walk(regs *Regs, max int, st *Stack) End {
	how, call := PC, false
	for n := 1; ; n++ {
		pc := regs[RegRIP]
		r := s.row(vm.CodeAddr{PC: pc, Call: call})
		if r == nil {
			if len(st.Frames) == 0 {
				st.Frames = append(st.Frames, Frame{PC: pc, Offset: pc})
			}
			return PCNotExec
		}
		signal := r.flags&flagSignal != 0
		st.Frames = append(st.Frames, Frame{PC: pc, Module: r.module, Offset: pc + r.bias, How: how, Call: call && !signal})
		if r.kind == kindEnd {
			return r.end
		}
		if n >= maxWalk {
			return MaxDepth
		}
		if len(st.Frames) >= 2*max+lookBack {
			st.keepEnds(max + lookBack)
		}
		next := r.how
		sp := regs[RegRSP]
		ok, end := false, NoCFI
		switch r.kind {
		case kindCFA:
			ok, end = s.stepCFA(r, regs)
		case kindGo:
			ok, end = s.stepGo(r, regs)
		case kindRules:
			ok, end = s.stepRules(r.rules, regs)
		case kindSigframe:
			ok, end = s.stepSigframe(regs)
		case kindSwitch:
			// rsp moves to another stack, at any address.
			ok, end = s.stepSwitch(regs, regs[RegRBP]), StackSwitch
			signal = ok
		case kindSwitchC:
			ok, end = s.stepSwitchC(regs), StackSwitch
			signal = ok
		case kindSwitchG:
			ok, end = switchToG(regs, s.win)
			signal = ok
		case kindFP:
			next, ok, end = s.stepUntold(r, regs, how, len(st.Frames) == 1)
		}
		if !ok && (end == NoCFI || end == BadFP) && s.scanForEntry(st.Frames, regs) {
			next, ok = Scan, true
		}
		if !ok {
			return end
		}
		// A first frame may have popped its return address already (vfork does); after that each frame has one.
		if regs[RegRSP] <= sp && !signal && (regs[RegRSP] < sp || len(st.Frames) > 1) {
			return CFANotAdvancing
		}
		how, call = next, r.flags&flagSignal == 0
	}
}

// lookBack is how many of the last frames are asked for the file that they lie in.
const lookBack = 16

// maxScan is how many words of the stack are looked through for the return address of an outermost frame.
const maxScan = 512

// scanForEntry searches the stack above a frame that cannot be unwound for the return address of an outermost frame:
// one into the entry code of a file already on the stack, or one in the frame's own file that is known to have no
// caller. It reports whether it found one; regs then are those of that frame. C libraries built without tables call
// main and thread functions from functions that never return, so nothing leads from those to their callers; but only
// the code at such an address pushes it, and nothing lies above its frame.
func (s *Space) scanForEntry(frames []Frame, regs *Regs) bool {
	var entries [4]uint64
	n := 0
	for i := len(frames) - 1; i >= 0 && i >= len(frames)-lookBack && n < len(entries); i-- {
		f := &frames[i]
		if i < len(frames)-1 && f.Module == frames[i+1].Module {
			continue
		}
		if e, ok := f.Module.entry(); ok {
			entries[n] = e + f.PC - f.Offset
			n++
		}
	}
	last := &frames[len(frames)-1]
	if last.Module.file == nil {
		return false
	}
	sp := regs[RegRSP] &^ 7
	for i := range uint64(maxScan) {
		v, ok := s.win.u64(sp + 8*i)
		if !ok {
			return false
		}
		found := false
		for _, e := range entries[:n] {
			found = found || v > e && v-e <= entryLength
		}
		if found && s.returnAddress(v) || last.Module.threadRoot(v-last.PC+last.Offset) {
			regs[RegRSP], regs[RegRIP] = sp+8*i+8, v
			return true
		}
	}
	return false
}
