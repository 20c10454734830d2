package unwind

import (
	"debug/elf"
	"errors"
	"sync"

	"github.com/vmblame/vmblame/internal/ehframe"
	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/gopclntab"
	"github.com/vmblame/vmblame/internal/vm"
)

// Module is what is known of one file that is mapped as code: where its unwind tables are. One Module serves all
// address spaces that map the file; tables are read when first needed. Safe for concurrent use. The file must stay
// open as long as the Module is used.
type Module struct {
	file *elffile.File

	mu       sync.Mutex
	mem      *elffile.Segments
	eh       *ehframe.Table   // .eh_frame
	debug    *ehframe.Table   // .debug_frame
	separate *ehframe.Table   // .debug_frame of the separate debug file
	golang   *gopclntab.Table // nil if it is not a Go program
	opened   struct{ eh, debug, separate, golang, program bool }
	starts   bool // e_entry is where a program or the dynamic loader starts
}

// NewModule returns the Module of f, which is the caller's. A nil f stands for code in no file, or in one
// that cannot be read: it has no tables, and frames in it are found by frame pointer alone.
func NewModule(f *elffile.File) *Module { return &Module{file: f, mem: elffile.NewSegments(f)} }

// File returns what NewModule was given.
func (m *Module) File() *elffile.File { return m.file }

// row finds the rules for the code at at, an address of the file. The module and bias of the row are left to the
// caller.
func (m *Module) row(at vm.CodeAddr) (r row) {
	if m.file == nil {
		return row{kind: kindFP, how: FP, end: NoCFI}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	// The bytes come from outside, and delve's interpreter panics on some that pass every check here.
	defer func() {
		if recover() != nil {
			r = row{kind: kindFP, how: FP, end: BadFDE}
		}
	}()
	r = m.tables(at.Lookup())
	r.flags |= m.code(at.PC)
	m.adjust(&r, at)
	if r.kind == kindFP {
		r.rules = m.epilogue(at)
	}
	return r
}

// tables tries one source after another.
func (m *Module) tables(look uint64) row {
	end := NoCFI
	try := func(how How, t *ehframe.Table) (row, bool) {
		e, ok := t.Find(look)
		if !ok {
			return row{}, false
		}
		r, err := interpret(&e, look, m.file.Entry())
		if errors.Is(err, errNotCovered) {
			return row{}, false
		}
		if err != nil {
			end = BadFDE
			return row{}, false
		}
		r.how = how
		return r, true
	}
	if r, ok := try(CFI, m.ehFrame()); ok {
		return r
	}
	if r, ok := try(DebugFrame, m.debugFrame()); ok {
		return r
	}
	if t := m.goTable(); t != nil {
		if r, ok := goRow(t, look); ok {
			return r
		}
	} else if r, ok := try(DebugFrame, m.separateDebugFrame()); ok {
		return r
	}
	return row{kind: kindFP, how: FP, end: end}
}

// The tables of the module, each opened at first use. m.mu is held.

func (m *Module) ehFrame() *ehframe.Table {
	if !m.opened.eh {
		m.opened.eh = true
		m.eh = ehframe.Open(m.file, m.mem)
	}
	return m.eh
}

func (m *Module) debugFrame() *ehframe.Table {
	if !m.opened.debug {
		m.opened.debug = true
		m.debug = ehframe.OpenDebugFrame(m.file)
	}
	return m.debug
}

func (m *Module) separateDebugFrame() *ehframe.Table {
	if !m.opened.separate {
		m.opened.separate = true
		if d, err := m.file.DebugFile(nil); err == nil {
			m.separate = ehframe.OpenDebugFrame(d)
		}
	}
	return m.separate
}

func (m *Module) goTable() *gopclntab.Table {
	if !m.opened.golang {
		m.opened.golang = true
		if t := gopclntab.Open(m.file, m.mem); t != nil && t.PointerSize() == 8 {
			m.golang = t
		}
	}
	return m.golang
}

// adjust adds what no table says: signal trampolines and the program's entry.
func (m *Module) adjust(r *row, at vm.CodeAddr) {
	if at.Call && r.flags&flagSignal == 0 && m.isSigreturn(at.PC) {
		r.kind, r.how = kindSigframe, Sigframe
		r.flags |= flagSignal
		return
	}
	if t := m.goTable(); t != nil {
		goAdjust(t, r, at)
	}
	entry := m.file.Entry()
	switch {
	case r.kind == kindEnd:
	case r.flags&flagEntry != 0 && entry != 0:
		// Whatever the table says, there is no caller.
		if exe, _ := m.program(); exe {
			r.kind, r.end = kindEnd, ELFEntry
		}
	case r.kind == kindFP && at.Call && m.isThreadRoot(at.PC):
		r.kind, r.end = kindEnd, UndefinedRA
	case r.kind == kindFP && entry != 0 && at.PC >= entry && at.PC < entry+entryLength:
		if exe, loader := m.program(); exe || loader {
			r.kind, r.end = kindEnd, ELFEntry
		}
	}
}

// entryLength is how many bytes of code from e_entry on belong to it. Entry code is not always described by tables
// (that of Debian's ld.so is not), and nothing called it.
const entryLength = 64

// entry returns e_entry of an executable or a dynamic loader.
func (m *Module) entry() (uint64, bool) {
	if m == nil || m.file == nil || m.file.Entry() == 0 {
		return 0, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.opened.program {
		m.opened.program = true
		exe, loader := m.program()
		m.starts = exe || loader
	}
	return m.file.Entry(), m.starts
}

// program reports whether e_entry is where a program starts: exe for executables, loader for what may be the dynamic
// loader (it has no PT_INTERP and needs no other object). In other shared objects e_entry is often just the first
// byte of .text, an ordinary function.
func (m *Module) program() (exe, loader bool) {
	if m.file.Type() == elf.ET_EXEC {
		return true, false
	}
	var dynamic elf.ProgHeader
	for _, p := range m.file.Progs() {
		switch p.Type {
		case elf.PT_INTERP:
			return true, false
		case elf.PT_DYNAMIC:
			dynamic = p
		}
	}
	loader = true
	c := m.mem.Cursor(dynamic.Vaddr, dynamic.Vaddr+min(dynamic.Filesz, 16<<10))
	for c.Len() >= 16 {
		tag, val := elf.DynTag(c.U64()), c.U64()
		if c.Bad() || tag == elf.DT_NULL {
			break
		}
		if tag == elf.DT_FLAGS_1 && val&uint64(elf.DF_1_PIE) != 0 {
			return true, false
		}
		if tag == elf.DT_NEEDED {
			loader = false
		}
	}
	return false, loader
}
