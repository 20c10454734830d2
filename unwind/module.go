package unwind

import (
	"debug/elf"
	"errors"
	"sync"

	"github.com/vmblame/vmblame/internal/elffile"
)

// Module is what is known of one file that is mapped as code: where its unwind tables are. One Module
// serves all address spaces that map the file; what it knows is found out at first need. Safe for
// concurrent use. It keeps reading the file, which must stay open as long as the Module is used.
type Module struct {
	file *elffile.File

	mu       sync.Mutex
	blocks   map[uint64]*[blockSize]byte
	hdr      *hdrTable
	eh       *entryTable // .eh_frame without a header table
	debug    *entryTable // .debug_frame
	separate *entryTable // .debug_frame of the separate debug file
	golang   *goTable
	opened   struct{ hdr, own, separate, golang, program bool }
	starts   bool // e_entry is where a program or the dynamic loader starts
}

// NewModule returns the Module of f, which is the caller's. A nil f stands for code in no file, or in one
// that cannot be read: it has no tables, and frames in it are found by frame pointer alone.
func NewModule(f *elffile.File) *Module { return &Module{file: f} }

// File returns what NewModule was given.
func (m *Module) File() *elffile.File { return m.file }

const (
	blockSize = 4096
	maxBlocks = 512
)

// bytes returns n bytes of the file at its own virtual address, nil if it does not have them all. Blocks
// are kept, since the searches pass over the same ones again and again. m.mu is held.
func (m *Module) bytes(vaddr, n uint64) []byte {
	if m.file == nil || vaddr+n < vaddr {
		return nil
	}
	at := vaddr % blockSize
	b := m.block(vaddr - at)
	if b == nil {
		return nil
	}
	if at+n <= blockSize {
		return b[at : at+n]
	}
	out := make([]byte, 0, n)
	out = append(out, b[at:]...)
	for next := vaddr - at + blockSize; uint64(len(out)) < n; next += blockSize {
		if b = m.block(next); b == nil {
			return nil
		}
		out = append(out, b[:min(blockSize, n-uint64(len(out)))]...)
	}
	return out
}

// block returns the page at vaddr as the file has it; what no segment holds of it is zero. nil if no
// segment has any of it.
func (m *Module) block(vaddr uint64) *[blockSize]byte {
	if b, ok := m.blocks[vaddr]; ok {
		return b
	}
	if m.blocks == nil || len(m.blocks) >= maxBlocks {
		m.blocks = make(map[uint64]*[blockSize]byte)
	}
	b := new([blockSize]byte)
	some := false
	for _, p := range m.file.Progs() {
		if p.Type != elf.PT_LOAD || p.Filesz == 0 || p.Vaddr+p.Filesz < p.Vaddr {
			continue
		}
		from, to := max(vaddr, p.Vaddr), min(vaddr+blockSize, p.Vaddr+p.Filesz)
		if from >= to || vaddr+blockSize < vaddr {
			continue
		}
		if n, _ := m.file.ReadVaddr(b[from-vaddr:to-vaddr], from); n > 0 {
			some = true
		}
	}
	if !some {
		b = nil
	}
	m.blocks[vaddr] = b
	return b
}

// row finds the rules for pc, whose place in the file is offset; look is where to look it up, offset or one
// less. The module and bias of the row are left to the caller.
func (m *Module) row(look uint64, call bool) (r row) {
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
	pc := look
	if call {
		pc++
	}
	r = m.tables(look)
	r.flags |= m.code(pc)
	m.adjust(&r, look, pc, call)
	if r.kind == kindFP {
		r.rules = m.epilogue(pc, call)
	}
	return r
}

// tables asks one source after the other.
func (m *Module) tables(look uint64) row {
	end := NoCFI
	try := func(how How, find func(uint64) (fde, bool)) (row, bool) {
		e, ok := find(look)
		if !ok {
			return row{}, false
		}
		r, err := e.interpret(look, m.file.Entry())
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
	if r, ok := try(CFI, m.findEH); ok {
		return r
	}
	if r, ok := try(DebugFrame, m.findDebugFrame); ok {
		return r
	}
	if g := m.goTable(); g != nil {
		if r, ok := g.row(m, look); ok {
			return r
		}
	} else if r, ok := try(DebugFrame, m.findSeparate); ok {
		return r
	}
	return row{kind: kindFP, how: FP, end: end}
}

// adjust adds what no table says: signal trampolines and the program's entry.
func (m *Module) adjust(r *row, look, pc uint64, call bool) {
	if call && r.flags&flagSignal == 0 && m.isSigreturn(pc) {
		r.kind, r.how = kindSigframe, Sigframe
		r.flags |= flagSignal
		return
	}
	if g := m.goTable(); g != nil {
		g.adjust(m, r, look, call)
	}
	entry := m.file.Entry()
	switch {
	case r.kind == kindEnd:
	case r.flags&flagEntry != 0 && entry != 0:
		// Whatever the table says of a caller: there is none.
		if exe, _ := m.program(); exe {
			r.kind, r.end = kindEnd, ELFEntry
		}
	case r.kind == kindFP && call && m.isThreadRoot(pc):
		r.kind, r.end = kindEnd, UndefinedRA
	case r.kind == kindFP && entry != 0 && pc >= entry && pc < entry+entryLength:
		if exe, loader := m.program(); exe || loader {
			r.kind, r.end = kindEnd, ELFEntry
		}
	}
}

// entryLength is how much code behind e_entry belongs to it. Entry code is not always described by tables
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

// program tells whether e_entry is where a program starts: exe for executables, loader for what may be the
// dynamic loader (it has no PT_INTERP and needs no other object). In other shared objects e_entry is often
// the first byte of .text, with a function like any other.
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
	for at := uint64(0); at+16 <= min(dynamic.Filesz, 16<<10); at += 16 {
		b := m.bytes(dynamic.Vaddr+at, 16)
		if b == nil {
			break
		}
		c := cursor{b: b}
		tag, val := elf.DynTag(c.u64()), c.u64()
		if tag == elf.DT_NULL {
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
