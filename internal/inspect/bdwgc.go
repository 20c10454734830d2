package inspect

import (
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	gcArrays   = 1 << 18 // bytes at most of a struct _GC_arrays
	gcSections = 1 << 16
	gcTries    = 1 << 12
)

// findBDWGC recognises the heap of the Boehm-Demers-Weiser collector (include/private/gc_priv.h): GC_arrays, which libgc
// exports, begins with the size of the heap, and has sections, each with its address and length, which add up to that size.
func findBDWGC(l *look) {
	m := l.image2(func(m *Image) bool { return m.exported("GC_arrays") != 0 })
	if m == nil {
		return
	}
	at := m.exported("GC_arrays")
	heap, ok := l.word(at)
	if !ok || heap == 0 || !aligned(heap) {
		return
	}
	tries := 0
	for a, w := range l.scan(vm.Range{Start: vm.PageDown(at), End: vm.PageUp(at + gcArrays)}) {
		for _, a := range [...]uint64{a, w} { // there or, since 8.2, where it points to
			first := l.words(a, 2)
			if tries > gcTries || a%8 != 0 || first == nil || !aligned(first[0]) || !aligned(first[1]) || first[0] == 0 || first[1] == 0 || first[1] > heap {
				continue
			}
			tries++
			list := l.gcSections(a, heap)
			for _, r := range list {
				l.add(classify.Finding{Kind: classify.BDWGC, Confidence: classify.Certain,
					Evidence: "the sections of GC_arrays, which add up to the size of the heap", Parts: l.partsOf(r)})
			}
			if list != nil {
				return
			}
		}
	}
}

// gcSections reads the sections from at on; it returns nil if they do not add up to the heap.
func (l *look) gcSections(at, heap uint64) (list []vm.Range) {
	for left := heap; left > 0; at += 16 {
		w := l.words(at, 2)
		if w == nil || w[0] == 0 || w[1] == 0 || !aligned(w[0]) || !aligned(w[1]) || w[1] > left || len(list) > gcSections {
			return nil
		}
		r := vm.RangeOf(w[0], w[1])
		if !l.covered(r, anonymous) {
			return nil
		}
		list = append(list, r)
		left -= w[1]
	}
	return list
}
