package record

import (
	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/modules"
	"github.com/vmblame/vmblame/internal/naming"
	"github.com/vmblame/vmblame/unwind"
)

// compatSegment is the code segment of 32-bit user code (__USER32_CS).
const compatSegment = 0x23

// stacks takes the stacks of calls. It belongs to the tracer's goroutine.
type stacks struct {
	out       *output
	modules   *modules.Table
	names     *naming.Names
	interner  *unwind.Interner
	maxFrames int  // of a stack
	none      bool // stacks are not recorded
	stack     unwind.Stack
}

// walk takes the stack of a call. It runs between the thread's syscall-enter-stop and its resumption after the call,
// so that this thread cannot change the memory being read, and mostly while the kernel serves the call.
func (s *stacks) walk(f *pending) {
	f.stack = 0
	if s.none {
		return
	}
	regs := f.task.thread.Regs()
	var at unwind.Regs
	loadRegs(&at, regs)
	if regs.Cs == compatSegment {
		s.narrow(f, &at)
	} else {
		f.space.walker.Walk(&at, f.task.thread, s.maxFrames, &s.stack)
	}
	id, fresh := s.interner.Intern(&s.stack)
	if fresh {
		s.announce(id)
	}
	f.stack = id
}

// narrow is the stack of 32-bit code, for which only the pc is recorded.
func (s *stacks) narrow(f *pending, at *unwind.Regs) {
	pc := at[unwind.RegRIP]
	m, offset, ok := s.modules.Code(f.space).CodeAt(pc)
	if !ok {
		m, offset = nil, pc
	}
	s.stack.Frames = append(s.stack.Frames[:0], unwind.Frame{PC: pc, Module: m, Offset: offset, How: unwind.PC})
	s.stack.End = unwind.NoCFI
}

func loadRegs(to *unwind.Regs, from *unix.PtraceRegs) {
	*to = unwind.Regs{
		from.Rax, from.Rdx, from.Rcx, from.Rbx, from.Rsi, from.Rdi, from.Rbp, from.Rsp,
		from.R8, from.R9, from.R10, from.R11, from.R12, from.R13, from.R14, from.R15, from.Rip,
	}
}

// announce writes the line of a new stack.
func (s *stacks) announce(id int) {
	rec := &eventlog.Stack{Stack: id, Complete: s.stack.End.Complete(), End: s.stack.End.String(),
		Frames: make([]eventlog.Frame, len(s.stack.Frames))}
	for i := range s.stack.Frames {
		f := &s.stack.Frames[i]
		rec.Frames[i] = eventlog.Frame{PC: eventlog.Hex(f.PC), Module: s.modules.ID(f.Module), Offset: eventlog.Hex(f.Offset),
			Via: f.How.String(), Call: f.Call, Omitted: f.Omitted}
	}
	s.out.stacks++
	s.out.queue.Define(rec)
}

// announceModule writes the line of a new module, and says where its names come from. in is the space of code in no
// file, nil for files.
func (s *stacks) announceModule(m *modules.Module, in modules.Space) {
	rec := &eventlog.Module{Module: m.ID, Path: m.Path, Dev: m.At.Dev.String(), Inode: m.At.Inode}
	switch {
	case m.File != nil:
		if id := m.File.BuildID(); id != "" {
			rec.BuildID = &id
		}
		rec.Role = string(m.Role)
		source := &naming.Source{File: m.File.File, Debug: m.File.Debug, Intact: m.File.Intact, Made: m.File.Made()}
		if m.Path == "[vdso]" {
			source.Label = "vdso"
		}
		s.names.Module(m.ID, source)
	case in != nil:
		s.names.Module(m.ID, &naming.Source{Perf: s.names.PerfMap(in.ID(), in.TID(), in.(*space).pid)})
	}
	s.out.queue.Define(rec)
}
