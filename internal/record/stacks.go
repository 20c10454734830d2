package record

import (
	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/unwind"
)

// compatSegment is the code segment of 32-bit user code (__USER32_CS).
const compatSegment = 0x23

// walk takes the stack of a call. It runs between the thread's syscall-enter-stop and its resumption after
// the call, so that the memory it reads cannot change under it, and mostly while the kernel serves the call.
func (r *Recorder) walk(f *pending) {
	f.stack = 0
	if r.opts.NoStacks {
		return
	}
	regs := f.task.thread.Regs()
	var at unwind.Regs
	loadRegs(&at, regs)
	if regs.Cs == compatSegment {
		r.narrowStack(f, &at)
	} else {
		f.space.walker.Walk(&at, f.task.thread, r.maxDepth, &r.stack)
	}
	id, fresh := r.interner.Intern(&r.stack)
	if fresh {
		r.announceStack(id)
	}
	f.stack = id
}

// narrowStack is the stack of 32-bit code, of which only the pc is told.
func (r *Recorder) narrowStack(f *pending, at *unwind.Regs) {
	pc := at[unwind.RegRIP]
	m, offset, ok := code{r, f.space}.CodeAt(pc)
	if !ok {
		m, offset = nil, pc
	}
	r.stack.Frames = append(r.stack.Frames[:0], unwind.Frame{PC: pc, Module: m, Offset: offset, How: unwind.PC})
	r.stack.End = unwind.NoCFI
}

func loadRegs(to *unwind.Regs, from *unix.PtraceRegs) {
	*to = unwind.Regs{
		from.Rax, from.Rdx, from.Rcx, from.Rbx, from.Rsi, from.Rdi, from.Rbp, from.Rsp,
		from.R8, from.R9, from.R10, from.R11, from.R12, from.R13, from.R14, from.R15, from.Rip,
	}
}

// announceStack writes the line of a new stack.
func (r *Recorder) announceStack(id int) {
	rec := &eventlog.Stack{Stack: id, Complete: r.stack.End.Complete(), End: r.stack.End.String(),
		Frames: make([]eventlog.Frame, len(r.stack.Frames))}
	for i := range r.stack.Frames {
		f := &r.stack.Frames[i]
		m := r.modules.byUnw[f.Module]
		if m == nil {
			m = r.noModule()
		}
		rec.Frames[i] = eventlog.Frame{PC: eventlog.Hex(f.PC), Module: m.id, Offset: eventlog.Hex(f.Offset),
			Via: f.How.String(), Call: f.Call}
	}
	r.stacks++
	r.queue.Define(rec)
}
