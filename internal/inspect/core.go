package inspect

import (
	"cmp"
	"debug/elf"
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/corefile"
	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/vm"
)

// OfCore returns the process in a core file, for inspection. A mapped file is opened from this machine if the core
// proves that it is the same file.
func OfCore(f *corefile.File) *Process {
	p := &Process{PID: f.PID, Memory: f, Aux: f.Aux, Open: func(m *vm.Mapping) (*elffile.File, error) {
		o, err := f.OpenFile(m)
		if err != nil {
			return nil, err
		}
		return elffile.OpenFile(o, m.File.Path)
	}}
	for _, m := range f.Rows {
		p.Rows = append(p.Rows, vm.SmapsEntry{Mapping: m})
	}
	p.Rows = append(p.Rows, lostRows(f, p.Open)...)
	slices.SortFunc(p.Rows, func(a, b vm.SmapsEntry) int { return cmp.Compare(a.Start, b.Start) })
	for _, t := range f.Threads {
		p.Threads = append(p.Threads, Thread{TID: t.TID, SP: t.SP, FSBase: t.FSBase})
	}
	return p
}

// lostRows returns the rows for which the core has no segment. Their permissions are those in the program headers of
// the mapped file, for the segment that lies at the same distance from the file's first page. The core has the address
// of that page.
func lostRows(f *corefile.File, open func(*vm.Mapping) (*elffile.File, error)) (rows []vm.SmapsEntry) {
	files := map[uint64]*elffile.File{} // by where they begin, nil for those that cannot be opened
	for _, m := range f.Lost {
		first := f.First(&m)
		file, seen := files[first]
		if !seen {
			if first != 0 {
				file, _ = open(&m)
			}
			files[first] = file
		}
		if file == nil {
			continue
		}
		progs := slices.DeleteFunc(slices.Clone(file.Progs()), func(p elf.ProgHeader) bool { return p.Type != elf.PT_LOAD || p.Filesz == 0 })
		for _, p := range progs {
			off := m.Offset - vm.PageDown(p.Off)
			if m.Offset < vm.PageDown(p.Off) || m.Offset+m.Len() > vm.PageUp(p.Off+p.Filesz) || progs[0].Off != 0 ||
				m.Start-off-first != vm.PageDown(p.Vaddr)-vm.PageDown(progs[0].Vaddr) {
				continue
			}
			for flag, perm := range map[elf.ProgFlag]vm.Perms{elf.PF_R: vm.Read, elf.PF_W: vm.Write, elf.PF_X: vm.Exec} {
				if p.Flags&flag != 0 {
					m.Perms |= perm
				}
			}
			rows = append(rows, vm.SmapsEntry{Mapping: m})
			break
		}
	}
	for _, file := range files {
		if file != nil {
			file.Close()
		}
	}
	return rows
}

// findUnlabelled finds what the kernel labels in the maps of a running process but not in a core: the main stack and
// the vDSO, to which the auxiliary vector points, and the heap of brk, whose start is sbrk_base in malloc's
// parameters. The row of the heap gets its label for the readers that follow.
func findUnlabelled(l *look) {
	if l.Aux == nil {
		return
	}
	for at, k := range map[uint64]classify.Kind{corefile.AtRandom: classify.MainStack, corefile.AtVDSO: classify.VDSO} {
		if e := l.row(l.Aux[at]); e != nil && l.Aux[at] != 0 && e.File.Path == "" {
			l.add(classify.Finding{Kind: k, Confidence: classify.Certain, Evidence: "the auxiliary vector points into it", Parts: []classify.Part{{Range: e.Range}}})
		}
	}
	libc := l.image(isGlibc)
	if libc == nil {
		return
	}
	var heap *vm.SmapsEntry
	l.mallocParameters(libc, func(_ []uint64, _ uint64, mem []uint64) bool {
		for _, base := range mem[2:4] {
			if e := l.row(base); base != 0 && e != nil && e.Start == base && private(e) && e.File.Path == "" {
				heap = e
				return true
			}
		}
		return false
	})
	if heap != nil {
		heap.File.Path = "[heap]"
	}
}
