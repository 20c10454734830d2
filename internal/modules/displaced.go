package modules

import (
	"bytes"
	"debug/elf"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// nearby is how many mappings on either side are asked for the file that code was moved away from.
const nearby = 8

// displaced returns the module of code that its program has moved onto pages of no file, with the address in the file: a
// neighbour of e shows where a file is loaded, pc lies where that has code, and the code in memory is the file's. Programs do so for
// huge pages (node --use-largepages, ClickHouse).
func (t *Table) displaced(sp Space, e *ledger.Entry, pc uint64) (m *Module, vaddr uint64, ok bool) {
	seen := map[key]bool{}
	try := func(n ledger.Entry) bool {
		k := key{dev: n.File.Dev, inode: n.File.Inode}
		if n.File.Inode == 0 || seen[k] {
			return false
		}
		seen[k] = true
		f := t.fileOf(sp, k, &n)
		if f == nil {
			return false
		}
		if vaddr, ok = f.codeBeside(sp, &n, pc); ok {
			m = t.of(sp, &n)
			ok = m.File != nil
		}
		return ok
	}
	at := e.Start
	for range nearby {
		n, found := sp.Ledger().Before(at)
		if !found || try(n) {
			break
		}
		at = n.Start
	}
	at = e.End
	for range nearby {
		if ok {
			break
		}
		n, found := sp.Ledger().From(at)
		if !found || try(n) {
			break
		}
		at = n.End
	}
	return m, vaddr, ok
}

// fileOf returns the file of a mapping, opening it the first time, or nil if it is not a 64-bit ELF file.
func (t *Table) fileOf(sp Space, k key, e *ledger.Entry) *File {
	f := t.pinned[k]
	if m := t.byKey[k]; m != nil {
		f = m.File
	}
	if f == nil && !t.foreign[k] {
		if f = t.open(sp, e); f != nil {
			t.pinned[k] = f
		}
	}
	if f == nil || !f.Intact() || f.Class() != elf.ELFCLASS64 {
		t.foreign[k] = true
		return nil
	}
	return f
}

// codeBeside returns the file's own address for pc. n is a mapping of the file; it shows where the file is loaded.
// codeBeside reports false if the file has no code at that address, or if the memory around pc differs from it.
func (m *File) codeBeside(sp Space, n *ledger.Entry, pc uint64) (uint64, bool) {
	for _, p := range m.Progs() {
		from := vm.PageDown(p.Off)
		if p.Type != elf.PT_LOAD || n.Offset < from || n.Offset >= p.Off+p.Filesz {
			continue
		}
		bias := n.Start - (vm.PageDown(p.Vaddr) + n.Offset - from) // modulo 2^64
		for _, x := range m.Progs() {
			if v := pc - bias; x.Type == elf.PT_LOAD && x.Flags&elf.PF_X != 0 && v >= x.Vaddr && v-x.Vaddr < x.Filesz && m.stands(sp, x, v, bias) {
				return v, true
			}
		}
	}
	return 0, false
}

// stands reports whether the code of segment x around its address v is what memory has.
func (m *File) stands(sp Space, x elf.ProgHeader, v, bias uint64) bool {
	const around = 16
	from, to := max(v-min(v, around), x.Vaddr), min(v+around, x.Vaddr+x.Filesz)
	code, memory := make([]byte, to-from), make([]byte, to-from)
	if n, err := m.ReadVaddr(code, from); err != nil || n < len(code) {
		return false
	}
	return sp.ReadMemory(from+bias, memory) == len(memory) && bytes.Equal(code, memory)
}
