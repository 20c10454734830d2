package inspect

import (
	"debug/elf"
	"path"
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// findImages says what the segments of loaded files are, by their program headers (System V gABI; glibc
// elf/dl-map-segments.h, fs/binfmt_elf.c): the file's own pages, and zeroed memory from the last of them to p_memsz.
// What lies beyond belongs to something else, whatever it looks like.
func findImages(l *look) {
	for i := range l.Rows {
		if e := &l.Rows[i]; l.notELF[idOf(e)] {
			l.add(classify.Finding{Kind: classify.FileData, Detail: path.Base(strings.TrimSuffix(e.File.Path, " (deleted)")), Confidence: classify.Certain,
				Evidence: "the row maps it, and its first bytes are not those of an ELF file", Parts: []classify.Part{{Range: e.Range}}})
		}
	}
	for _, m := range l.images {
		f := classify.Finding{Kind: classify.ELFText, Detail: m.name(), Confidence: classify.Certain, Evidence: "program headers of the file, and the rows that map it"}
		var relro vm.Range
		for _, p := range m.File.Progs() {
			if p.Type == elf.PT_GNU_RELRO {
				relro = vm.Range{Start: vm.PageDown(p.Vaddr + m.Bias), End: vm.PageDown(p.Vaddr + p.Memsz + m.Bias)}
			}
		}
		for _, p := range m.loads() {
			start := vm.PageDown(p.Vaddr + m.Bias)
			file := vm.Range{Start: start, End: max(start, vm.PageUp(p.Vaddr+p.Filesz+m.Bias))}
			if p.Filesz == 0 {
				file.End = start
			}
			zero := vm.Range{Start: file.End, End: max(file.End, vm.PageUp(p.Vaddr+p.Memsz+m.Bias))}
			m.segment(l, &f, p, file, relro)
			m.bss(l, &f, zero)
		}
		if len(f.Parts) > 0 {
			l.add(f)
		}
	}
}

// sameCode reports whether the first page of r that is in memory holds what the file has there, of a segment that begins at start.
func (m *Image) sameCode(l *look, r vm.Range, start uint64) bool {
	for res := range l.Memory.Resident(r) {
		var here, there [vm.PageSize]byte
		at := max(res.Start, start)
		n, _ := m.File.ReadVaddr(there[:vm.PageUp(at+1)-at], at-m.Bias)
		return n > 0 && l.read(here[:n], at) && here == there
	}
	return false
}

// segment adds the rows of r, the file's part of segment p, that map the file, and memory to which the program has moved its code: it can
// be executed, and its first page that is resident is the file's.
func (m *Image) segment(l *look, f *classify.Finding, p elf.ProgHeader, r, relro vm.Range) {
	for e, x := range l.within(r) {
		k := classify.ELFRodata
		switch {
		case anonymous(e) && e.Perms&vm.Exec != 0 && p.Flags&elf.PF_X != 0 && m.sameCode(l, x, p.Vaddr+m.Bias):
			k = classify.ELFText
			f.Evidence = "program headers of the file, the rows that map it, and its code in those that the program put there"
		case !e.File.Backed():
			continue // moved elsewhere, or replaced by the program
		case e.Perms&vm.Exec != 0:
			k = classify.ELFText
		case e.Perms&vm.Write != 0:
			k = classify.ELFData
		case e.Perms&vm.Read == 0:
			k = classify.ELFGap
		case relro.Start < relro.End && relro.Overlaps(x):
			k = classify.ELFRelro
		}
		f.Parts = append(f.Parts, classify.Part{Range: x, Kind: k})
	}
}

// bss adds the anonymous memory of r.
func (m *Image) bss(l *look, f *classify.Finding, r vm.Range) {
	for e, x := range l.within(r) {
		if anonymous(e) {
			f.Parts = append(f.Parts, classify.Part{Range: x, Kind: classify.ELFBSS})
		}
	}
}
