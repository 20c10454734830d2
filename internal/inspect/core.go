package inspect

import (
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
	for _, t := range f.Threads {
		p.Threads = append(p.Threads, Thread{TID: t.TID, SP: t.SP, FSBase: t.FSBase})
	}
	return p
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
