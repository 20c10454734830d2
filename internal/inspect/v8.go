package inspect

import (
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// v8Page is the size and alignment of a regular page of V8's heap (kRegularPageSize). A page for a single large
// object has the same alignment.
const v8Page = 256 << 10

// isV8 reports whether a file contains V8: V8 exports constants for debuggers (v8dbg_*), or is a library of that name.
func (m *Image) isV8() bool {
	return strings.HasPrefix(m.name(), "libv8") || strings.HasPrefix(m.name(), "libnode") || m.exported("v8dbg_frametype_EntryFrame") != 0
}

// findV8 recognises the pages of V8's heap by their headers (MemoryChunk of src/heap/memory-chunk.h before 12): the
// page's size, its heap, and the start and end of the area for objects, which ends where the page does or a memory
// page before. Pages with the same heap confirm each other; three are needed.
func findV8(l *look) {
	if l.image2((*Image).isV8) == nil {
		return
	}
	pages := map[uint64]*classify.Finding{}
	var heaps []uint64
	for i := range l.Rows {
		e := &l.Rows[i]
		if !anonymous(e) || e.Perms&vm.Read == 0 || e.File.Path != "" {
			continue
		}
		next := uint64(0) // behind the last page
		for at := range l.multiples(e, v8Page) {
			if at < next {
				continue
			}
			r, heap := l.v8Page(at)
			if heap == 0 || !l.covered(r, anonymous) || l.claims.overlaps(r) {
				continue
			}
			f := pages[heap]
			if f == nil {
				f = &classify.Finding{Kind: classify.V8Heap, Confidence: classify.Certain, Evidence: "headers of pages that name one heap"}
				pages[heap] = f
				heaps = append(heaps, heap)
			}
			f.Parts = append(f.Parts, classify.Part{Range: r})
			next = r.End
		}
	}
	for _, h := range heaps {
		f := pages[h]
		if len(f.Parts) < 3 || l.row(h) == nil {
			continue
		}
		code := classify.Finding{Kind: classify.V8Code, Confidence: f.Confidence, Evidence: f.Evidence} // of no range that is known
		f.Parts = slices.DeleteFunc(f.Parts, func(p classify.Part) bool {
			if e := l.row(p.End - 2*vm.PageSize); e == nil || e.Perms&vm.Exec == 0 {
				return false
			}
			if l.v8Code(p.Range); !l.claims.overlaps(p.Range) {
				code.Parts = append(code.Parts, p)
			}
			return true
		})
		l.add(code)
		f.Parts = slices.DeleteFunc(f.Parts, func(p classify.Part) bool { return l.claims.overlaps(p.Range) })
		l.add(*f)
	}
}

// v8Code adds the code range that contains a page of code. V8 reserves it at once, with a power of two as its size
// and not inherited by fork children (VM_DONTCOPY, "dc" in smaps), and maps its built-in code into it again. Another
// such reservation may be adjacent, so the range counts as known only if exactly one power of two of whole rows
// contains the page.
func (l *look) v8Code(page vm.Range) {
	if l.claims.overlaps(page) {
		return
	}
	part := func(e *vm.SmapsEntry) bool {
		l.left.visits--
		return l.left.visits > 0 && e != nil && (anonymous(e) && flagged(e, "dc") || e.File.Backed() && e.Perms == vm.Read|vm.Exec && l.imageAt(e.Start) == nil)
	}
	r := page
	starts := make([]uint64, 0, 8) // of the rows up to the page, which may be those of another reservation beside this one
	for e := l.row(r.Start); part(e); e = l.row(r.Start - 1) {
		r.Start = e.Start
		starts = append(starts, r.Start)
	}
	ends := make(map[uint64]bool)
	for e := l.row(page.End - 1); part(e); e = l.row(r.End) {
		r.End = e.End
		ends[r.End] = true
	}
	var reserved []vm.Range
	for _, start := range starts {
		for n := uint64(32 << 20); n <= r.End-start; n *= 2 {
			if end := start + n; end >= page.End && ends[end] {
				reserved = append(reserved, vm.Range{Start: start, End: end})
			}
		}
	}
	if len(reserved) != 1 {
		return
	}
	r = reserved[0]
	l.add(classify.Finding{Kind: classify.V8Code, Confidence: classify.Certain,
		Evidence: "headers of pages of code in a reservation of a power of two that fork children do not get", Parts: l.partsOf(r)})
}

// v8Page reads the header of the page at a multiple of v8Page: the pages of memory that it takes, and its heap; 0 where
// there is none.
func (l *look) v8Page(at uint64) (vm.Range, uint64) {
	w := l.words(at, 5)
	if w == nil {
		return vm.Range{}, 0
	}
	size, heap, from, to := w[0], w[2], w[3], w[4]
	if size < vm.PageSize || size > 1<<40 || heap == 0 || heap%8 != 0 || from <= at || to <= from || to > at+size || at+size-to > vm.PageSize || from-at > 16<<10 {
		return vm.Range{}, 0
	}
	return vm.RangeOf(at, size), heap
}
