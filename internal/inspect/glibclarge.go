package inspect

import (
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// isMmapped is IS_MMAPPED of a chunk's size (malloc/malloc.c).
const isMmapped = 2

// findLarge knows the allocations that have a mapping of their own by the header that such a chunk begins with: 0 and
// its size, whole pages, marked IS_MMAPPED. The kernel shows neighbours as one row, so that chunk follows chunk;
// that one ends where a row, or the next chunk, begins is the second fact.
func findLarge(l *look) {
	if l.image(isGlibc) == nil {
		return
	}
	for i := 0; i < len(l.Rows); i++ {
		e := &l.Rows[i]
		if !private(e) || e.File.Path != "" {
			continue
		}
		// Advice given to a part of a chunk, huge pages for one, makes rows of it that stand side by side.
		r := e.Range
		for i+1 < len(l.Rows) && l.Rows[i+1].Start == r.End && private(&l.Rows[i+1]) && l.Rows[i+1].File.Path == "" {
			i++
			r.End = l.Rows[i].End
		}
		for _, r := range l.claims.free(r) {
			for at := r.Start; at < r.End; {
				at = l.largeIn(vm.Range{Start: at, End: r.End})
				// What follows in its own row may begin with a chunk again.
				if e := l.row(at); e != nil {
					at = e.End
				}
			}
		}
	}
}

// largeIn adds the chunks that follow each other from the start of r on, and returns where they end.
func (l *look) largeIn(r vm.Range) uint64 {
	var chain []vm.Range
	at := r.Start
	for at < r.End {
		w := l.words(at, 2)
		size := uint64(0)
		if w != nil && w[0] == 0 && w[1]&7 == isMmapped {
			size = w[1] &^ 7
		}
		if size < 2*vm.PageSize || !aligned(size) || size > r.End-at {
			break
		}
		chain = append(chain, vm.Range{Start: at, End: at + size})
		at += size
	}
	for i, c := range chain {
		f := classify.Finding{Kind: classify.GlibcLarge, Confidence: classify.Certain, Evidence: "the header of a chunk with a mapping of its own, which ends where the mapping or the next chunk does", Parts: []classify.Part{{Range: c}}}
		if e := l.row(c.End); i == len(chain)-1 && c.End != r.End && (e == nil || e.Start != c.End) {
			f.Confidence, f.Evidence = classify.Likely, "the header of a chunk with a mapping of its own"
		}
		l.add(f)
	}
	return at
}
