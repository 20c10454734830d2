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

// isMySQL reports whether m is the server of MySQL or MariaDB, or its embedded library, by its file name.
func isMySQL(m *Image) bool {
	return strings.HasPrefix(m.name(), "mariadbd") || strings.HasPrefix(m.name(), "mysqld") || strings.HasPrefix(m.name(), "libmariadbd")
}

// findInnoDB recognises the buffer pool by its variables (struct buf_pool_t): its address, the start and the size of
// its reservation and, behind those, its current size. It is accepted if the pool consists of extents: each starts
// with the descriptors of its blocks, and the first descriptor has the address of its frame, at the same offset in
// each extent.
func findInnoDB(l *look) {
	if l.image2(isMySQL) == nil {
		return
	}
	for at, memory := range l.variablesOf(isMySQL) {
		if memory%innodbExtent != 0 || l.row(memory) == nil {
			continue
		}
		w := l.words(at, 16)
		if w == nil || w[1] > memory || !aligned(w[1]) || !aligned(w[2]) || w[2] < innodbExtent {
			continue
		}
		all := vm.Range{Start: memory, End: vm.RangeOf(w[1], w[2]).End}
		for _, size := range w[3:] {
			pool := vm.RangeOf(memory, size)
			if size == 0 || size%(1<<20) != 0 || !all.Covers(pool) || !l.covered(pool, private) || !l.innodbExtents(pool) {
				continue
			}
			parts := l.partsOf(pool)
			if rest := (vm.Range{Start: pool.End, End: all.End}); l.covered(rest, inaccessible) {
				parts = append(parts, l.partsOf(rest)...)
			}
			l.add(classify.Finding{Kind: classify.InnoDBPool, Confidence: classify.Certain,
				Evidence: "InnoDB's variables, and extents whose first blocks name their places in them", Parts: parts})
			return
		}
	}
}

// innodbExtents reports whether the whole extents of r that are in memory begin with descriptors, as the first does at least.
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
