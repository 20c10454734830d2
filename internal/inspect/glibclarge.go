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
	for i := range l.Rows {
		e := &l.Rows[i]
		if !private(e) || e.File.Path != "" {
			continue
		}
		for _, r := range l.claims.free(e.Range) {
			l.largeIn(r)
		}
	}
}

func (l *look) largeIn(r vm.Range) {
	var chain []vm.Range
	for at := r.Start; at < r.End; {
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
		if i == len(chain)-1 && c.End != r.End {
			f.Confidence, f.Evidence = classify.Likely, "the header of a chunk with a mapping of its own"
		}
		l.add(f)
	}
}
