package inspect

import (
	"cmp"
	"debug/elf"
	"errors"
	"slices"
	"sort"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/vm"
)

// fileID identifies a file, whatever its name.
type fileID struct {
	dev   vm.Dev
	inode uint64
	path  string // where the inode is not known
}

func idOf(e *vm.SmapsEntry) fileID {
	id := fileID{dev: e.File.Dev, inode: e.File.Inode}
	if id.inode == 0 {
		id.path = e.File.Path
	}
	return id
}

// openImages finds the loaded ELF files. A file is loaded if one of its rows is executable, or if executable anonymous
// memory follows one of its rows: code that the program has moved. An image has all rows of the file with the same load
// bias.
func (l *look) openImages() {
	if l.Open == nil {
		return
	}
	type place struct {
		file *elffile.File
		bias uint64
	}
	loaded := map[place]*Image{}
	left := int64(symbolTotal)
	files := map[fileID]*elffile.File{}
	code, moved := map[fileID]bool{}, map[fileID]bool{}
	l.notELF = map[fileID]bool{}
	for i := range l.Rows {
		switch e := &l.Rows[i]; {
		case e.Perms&vm.Exec == 0 || e.Perms&vm.Shared != 0:
		case e.File.Backed():
			code[idOf(e)] = true
		case i > 0 && l.Rows[i-1].End == e.Start && l.Rows[i-1].File.Backed():
			moved[idOf(&l.Rows[i-1])] = true
		}
	}
	for i := range l.Rows {
		e := &l.Rows[i]
		k := idOf(e)
		if !e.File.Backed() || !code[k] && !moved[k] {
			continue
		}
		f, seen := files[k]
		if !seen {
			var err error
			f, err = l.Open(&e.Mapping)
			if errors.Is(err, elffile.ErrNotELF) && code[k] {
				l.notELF[k] = true
			}
			if f != nil {
				l.opened = append(l.opened, f)
				if f.Class() != elf.ELFCLASS64 {
					f = nil
				}
			}
			files[k] = f
		}
		if f == nil {
			continue
		}
		bias, ok := biasOf(f, &e.Mapping)
		if !ok {
			continue
		}
		m := loaded[place{f, bias}]
		if m == nil {
			m = &Image{Path: e.File.Path, File: f, Bias: bias, Rows: e.Range, left: &left}
			loaded[place{f, bias}] = m
			l.images = append(l.images, m)
		}
		m.Rows.End = e.End
	}
	l.images = slices.DeleteFunc(l.images, func(m *Image) bool { return !l.whole(m) })
	for _, m := range l.images {
		for _, p := range m.loads() {
			l.segments = append(l.segments, segment{vm.Range{Start: p.Vaddr + m.Bias, End: p.Vaddr + m.Bias + p.Memsz}, m})
		}
	}
	slices.SortFunc(l.segments, func(a, b segment) int { return cmp.Compare(a.Start, b.Start) })
}

// whole reports whether m is a complete image: the file is mapped from its start, some of it can be executed, and no
// other file is mapped where one of its segments should be. A second mapping of part of a file, made to read it or, as V8 does with its built-in
// code, to have it close to other code, is no image. Code that the program has moved to anonymous memory still
// counts.
func (l *look) whole(m *Image) bool {
	first, runs := true, false
	for _, p := range m.loads() {
		if p.Filesz == 0 {
			continue
		}
		at := vm.PageDown(p.Vaddr + m.Bias)
		e := l.row(at)
		switch {
		case e == nil:
			return false
		case !e.File.Backed():
			if first {
				return false
			}
		case e.File.Path != m.Path || e.Offset+at-e.Start != vm.PageDown(p.Off):
			return false
		}
		first = false
		runs = runs || e.Perms&vm.Exec != 0
	}
	return runs
}

// biasOf returns the load bias of the row: the difference between its address and the virtual address that the
// program headers give for its file offset.
func biasOf(f *elffile.File, e *vm.Mapping) (uint64, bool) {
	for _, p := range f.Progs() {
		if p.Type != elf.PT_LOAD || p.Filesz == 0 {
			continue
		}
		from := vm.PageDown(p.Off)
		if e.Offset < from || e.Offset >= p.Off+p.Filesz || p.Flags&elf.PF_X == 0 != (e.Perms&vm.Exec == 0) {
			continue
		}
		return e.Start - (vm.PageDown(p.Vaddr) + e.Offset - from), true
	}
	return 0, false
}

// image returns the loaded image whose file has one of these names, nil for none.
func (l *look) image(match func(name string) bool) *Image {
	for _, m := range l.images {
		if match(m.name()) {
			return m
		}
	}
	return nil
}

// image2 returns the first loaded image for which is holds, nil if there is none.
func (l *look) image2(is func(*Image) bool) *Image {
	for _, m := range l.images {
		if is(m) {
			return m
		}
	}
	return nil
}

// imageAt returns the image that covers addr with its segments, nil for none.
func (l *look) imageAt(addr uint64) *Image {
	i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].Start > addr })
	if i > 0 && l.segments[i-1].Contains(addr) {
		return l.segments[i-1].of
	}
	return nil
}
