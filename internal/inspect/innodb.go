package inspect

import (
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// innodbExtent is the unit of the buffer pool since MariaDB 10.11.12 (innodb_buffer_pool_extent_size of
// storage/innobase/include/buf0buf.h).
const innodbExtent = 8 << 20

// innodbPages are the sizes that innodb_page_size may have.
var innodbPages = [...]uint64{4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10}

func isMySQL(m *Image) bool {
	return strings.HasPrefix(m.name(), "mariadbd") || strings.HasPrefix(m.name(), "mysqld") || strings.HasPrefix(m.name(), "libmariadbd")
}

// findInnoDB knows the buffer pool by its extents: each begins with the descriptors of its blocks, the first of which says
// where its frame is, right behind the descriptors, the same way into each extent. What is reserved for a larger pool stands
// behind it, a power of two together, or as much as there is.
func findInnoDB(l *look) {
	if l.image2(isMySQL) == nil {
		return
	}
	for i := range l.Rows {
		e := &l.Rows[i]
		if !private(e) || e.File.Path != "" || e.Start%innodbExtent != 0 || e.Len() < innodbExtent {
			continue
		}
		if !l.innodbExtents(e.Range) {
			continue
		}
		r := vm.Range{Start: e.Start, End: e.Start + e.Len()/innodbExtent*innodbExtent}
		parts := []classify.Part{{Range: r}}
		if next := l.row(r.End); next != nil && inaccessible(next) {
			if n := next.End - r.Start; n%innodbExtent == 0 && n&(n-1) == 0 {
				parts = append(parts, classify.Part{Range: next.Range})
			}
		}
		l.add(classify.Finding{Kind: classify.InnoDBPool, Confidence: classify.Certain,
			Evidence: "extents that begin with descriptors of blocks, the first of which names its place in the same extent", Parts: parts})
	}
}

// innodbExtents reports whether the extents of r that are in memory begin with descriptors, as the first one does at least.
func (l *look) innodbExtents(r vm.Range) bool {
	frame, at := uint64(0), -1 // where the first frame is in an extent, and which word says so
	for extent := r.Start; extent+innodbExtent <= r.End; extent += innodbExtent {
		w := l.words(extent, 16)
		if w == nil {
			return frame != 0 // not used yet
		}
		if frame == 0 {
			at = slices.IndexFunc(w, func(v uint64) bool {
				off := v - extent
				return v > extent && off < innodbExtent/8 && slices.ContainsFunc(innodbPages[:], func(size uint64) bool { return off%size == 0 && off/size < 64 })
			})
			if at < 0 {
				return false
			}
			frame = w[at] - extent
		}
		if w[at] != extent+frame {
			return false
		}
	}
	return frame != 0
}
