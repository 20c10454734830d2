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
			m.segment(l, &f, file, relro)
			m.bss(l, &f, zero)
		}
		if len(f.Parts) > 0 {
			l.add(f)
		}
	}
}

// segment adds the rows of r that map the file.
func (m *Image) segment(l *look, f *classify.Finding, r, relro vm.Range) {
	for e, x := range l.within(r) {
		k := classify.ELFRodata
		switch {
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
