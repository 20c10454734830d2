package modules

import (
	"bytes"
	"debug/elf"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/unwind"
)

// Space is an address space whose code is asked about.
type Space interface {
	// ID identifies the space.
	ID() int
	// Ledger is what is mapped.
	Ledger() *ledger.Ledger
	// Maps is what the kernel says of it, nil where it does not.
	Maps() *procfs.Maps
	// TID is a thread that uses the space and is stopped, or may be looked at in /proc; 0 for none.
	TID() int
	// ReadMemory reads from addr on and returns how many bytes could be read.
	ReadMemory(addr uint64, p []byte) int
}

// Module is a file, or a stretch of memory, that code ran from.
type Module struct {
	ID   int          // 1, 2, 3 …
	Path string       // "[vdso]", "[anon]" for code in no file
	At   vm.File      // the mapping when it was first seen
	File *File        // nil where there is no ELF file that could be read
	Role callers.Role // what the file is, "" where that was not found out

	unwind *unwind.Module
}

// key identifies the module of a mapping.
type key struct {
	dev   vm.Dev
	inode uint64
	path  string // only where there is no inode
	space int    // only of code in no file
}

// Table has all modules of a recording.
type Table struct {
	announce func(*Module, Space)
	known    *classify.Catalogue
	byKey    map[key]*Module
	byUnwind map[*unwind.Module]*Module
	pinned   map[key]*File // opened when mapped, not executed yet
	foreign  map[key]bool  // files that are not readable ELF files
	// mapFilesWork reports whether /proc/PID/map_files is known to work, mapFilesDenied that it is denied; both are
	// false before the first try.
	mapFilesWork, mapFilesDenied bool
}

// New returns an empty table. announce is called for each new module, before anything refers to it, with the
// space that code in no file stands in: the same address is other code in another space. That is nil for files.
func New(announce func(*Module, Space)) *Table {
	return &Table{announce: announce, known: classify.Known(), byKey: make(map[key]*Module), byUnwind: make(map[*unwind.Module]*Module),
		pinned: make(map[key]*File), foreign: make(map[key]bool)}
}

// ID returns the number of the module that a frame lies in; that of code in no executable mapping where m is
// nil.
func (t *Table) ID(m *unwind.Module) int {
	if known := t.byUnwind[m]; known != nil {
		return known.ID
	}
	nowhere := key{path: "[anon]"}
	if t.byKey[nowhere] == nil {
		t.add(nowhere, &Module{Path: "[anon]"}, nil)
	}
	return t.byKey[nowhere].ID
}

// Code returns what unwind asks about one space.
func (t *Table) Code(sp Space) unwind.Code { return code{t, sp} }

// code answers unwind's question for one space, from the ledger.
type code struct {
	table *Table
	space Space
}

// CodeAt implements unwind.Code.
func (c code) CodeAt(pc uint64) (*unwind.Module, uint64, bool) {
	e, ok := c.space.Ledger().At(pc)
	if !ok || e.Perms&vm.Exec == 0 {
		return nil, 0, false
	}
	if e.File.InMemory() {
		if m, addr, ok := c.table.displaced(c.space, &e, pc); ok {
			return m.unwind, addr, true
		}
	}
	m := c.table.of(c.space, &e)
	if m.File == nil {
		if e.File.Inode != 0 {
			return m.unwind, pc - e.Start + e.Offset, true
		}
		return m.unwind, pc, true
	}
	if addr, ok := m.File.VaddrOf(pc - e.Start + e.Offset); ok {
		return m.unwind, addr, true
	}
	return m.unwind, noAddress | pc - e.Start + e.Offset, true
}

// noAddress marks the offset of code in a part of an ELF file to which the file gives no address: what
// stands there is told, and no symbol or unwind table entry can be taken for its own.
const noAddress = 1 << 63

// of returns the module of an executable mapping, which it opens and announces where it is new.
func (t *Table) of(sp Space, e *ledger.Entry) *Module {
	k := key{dev: e.File.Dev, inode: e.File.Inode}
	vdso := e.File.Inode == 0 && e.File.Path == "[vdso]"
	switch {
	case vdso && narrowImage(sp, e):
		k.path = "[vdso] 32"
	case vdso:
		k.path = "[vdso]"
	case e.File.Inode == 0:
		k.path, k.space = "[anon]", sp.ID()
	}
	path := strings.TrimSuffix(e.File.Path, " (deleted)")
	if m := t.byKey[k]; m != nil {
		switch {
		case m.File != nil && m.File.Intact():
			return m
		case m.File == nil && (m.Path == path || e.File.Inode == 0):
			return m // a deleted file that is not open may lose its inode to another file
		}
	}
	m := &Module{Path: path, At: e.File}
	var in Space
	switch {
	case vdso:
		m.Path = "[vdso]"
		m.File = readImage(sp, e)
	case e.File.Inode == 0:
		m.Path, in = "[anon]", sp
	default:
		if m.File = t.pinned[k]; m.File == nil || !m.File.Intact() {
			m.File = t.open(sp, e)
		}
		delete(t.pinned, k)
	}
	t.add(k, m, in)
	return m
}

func (t *Table) add(k key, m *Module, in Space) {
	m.ID = len(t.byUnwind) + 1
	switch {
	case m.File == nil:
		m.unwind = unwind.NewModule(nil)
	case m.File.Class() != elf.ELFCLASS64:
		m.unwind = unwind.NewModule(nil) // its tables are for other registers and words
	default:
		m.unwind = unwind.NewModule(m.File.File)
		if m.At.Inode != 0 {
			m.Role = t.known.RoleOf(m.File.Dynamic(), m.File.IsProgram(), m.File.Code().Len())
		}
	}
	t.byKey[k] = m
	t.byUnwind[m.unwind] = m
	t.announce(m, in)
}

// readImage reads an ELF image that stands whole in memory: the vdso.
func readImage(sp Space, e *ledger.Entry) *File {
	const limit = 1 << 20
	if e.Len() > limit {
		return nil
	}
	image := make([]byte, e.Len())
	if n := sp.ReadMemory(e.Start, image); n < len(image) {
		return nil
	}
	f, err := elffile.Open(bytes.NewReader(image), int64(len(image)), "[vdso]")
	if err != nil {
		return nil
	}
	return &File{File: f}
}

// narrowImage reports whether the image at e is a 32-bit one: each kind of process has its own vdso.
func narrowImage(sp Space, e *ledger.Entry) bool {
	var ident [elf.EI_CLASS + 1]byte
	return sp.ReadMemory(e.Start, ident[:]) == len(ident) && elf.Class(ident[elf.EI_CLASS]) == elf.ELFCLASS32
}
