package unwind

import "github.com/vmblame/vmblame/internal/vm"

// Code finds the executable code at pc in one address space: its module, and pc as that file's own virtual address
// (pc itself for a module without a file). ok is false if pc is in no executable mapping. It is asked once for each
// pc, until Invalidate.
type Code interface {
	CodeAt(pc uint64) (m *Module, offset uint64, ok bool)
}

// Space unwinds the threads of one address space and remembers what it learnt of its code. A Space and all its forks
// must be used by one goroutine at a time.
type Space struct {
	code   Code
	table  *rowTable
	mem    RawMemory // during a walk
	win    *window
	regs   Regs
	old    Regs
	depth  uint64 // bytes of stack that recent walks used
	nofile *Module
}

// NewSpace returns a Space that knows nothing yet. An address space after execve is a new one.
func NewSpace(c Code) *Space {
	return &Space{code: c, table: newRowTable(), win: new(window), depth: minWindow, nofile: NewModule(nil)}
}

// Fork returns the Space of a copy of the address space (fork(2)), in which c is executable. It shares what
// is known until either of the two learns or forgets something.
func (s *Space) Fork(c Code) *Space {
	s.table.shared = true
	return &Space{code: c, table: s.table, win: s.win, depth: s.depth, nofile: s.nofile}
}

// Invalidate forgets what is known of the code in r. Call it when an executable mapping in r appeared, went
// away or became (un)executable, and for code without a file when it may have been rewritten.
func (s *Space) Invalidate(r vm.Range) {
	if r.Start >= r.End || !s.table.hits(r) {
		return
	}
	s.own()
	s.table.drop(r)
}

// own makes the table this space's alone.
func (s *Space) own() {
	if s.table.shared {
		s.table = s.table.clone()
	}
}

// row returns the row of pc, nil if it is not executable. Rows are never changed in place during a walk, so a row
// stays readable when the table grows.
func (s *Space) row(at vm.CodeAddr) *row {
	key := rowKey(at)
	if r := s.table.get(key); r != nil {
		return r
	}
	return s.learn(key, at)
}

func (s *Space) learn(key uint64, at vm.CodeAddr) *row {
	if at.PC == 0 || at.PC >= 1<<62 {
		return nil
	}
	look := at.Lookup()
	m, offset, ok := s.code.CodeAt(look)
	if !ok {
		return nil
	}
	if m == nil {
		m = s.nofile
	}
	r := m.row(vm.CodeAddr{PC: at.PC - look + offset, Call: at.Call})
	r.module, r.bias = m, offset-look
	if m.file == nil && !at.Call {
		var b [2]byte
		if s.mem != nil && s.mem.ReadMemory(at.PC-2, b[:]) == 2 && b == [2]byte{0x0f, 0x05} {
			r.flags |= flagSyscall
		}
	}
	s.own()
	return s.table.put(key, r)
}
