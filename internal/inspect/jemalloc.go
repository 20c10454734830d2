package inspect

import (
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	jemallocChunk = 2 << 20 // HUGEPAGE: a base block is a multiple of it and stands at one
	// edataSize is the size of an edata_t (include/jemalloc/internal/edata.h), which 5.2 calls extent_t.
	edataSize = 128
	// maxExtents bounds the records of extents that are looked at.
	maxExtents = 1 << 21
)

// findJemalloc recognises jemalloc by its base blocks (src/base.c): a block starts with its own size, and the record
// of its unused rest ends where the block does. All memory that jemalloc has from the kernel is described by such
// records (edata_t, extent_t before 5.3), which lie in base blocks only.
func findJemalloc(l *look) {
	var blocks []vm.Range
	hasJemalloc, asked := false, false
	var w [5]uint64
	for i := range l.Rows {
		e := &l.Rows[i]
		if !private(e) || e.File.Path != "" {
			continue
		}
		for at := range l.multiples(e, jemallocChunk) {
			if !l.fill(w[:], at) {
				continue
			}
			size := w[0]
			if size == 0 || size%jemallocChunk != 0 || size > 1<<40 || w[1]%jemallocChunk != 0 || w[4] > size || w[3] < at || w[3]+w[4] != at+size {
				continue
			}
			// A process with such a block contains jemalloc, whose name stands in its error messages.
			if !asked {
				hasJemalloc, asked = l.image2((*Image).hasJemalloc) != nil, true
			}
			if !hasJemalloc {
				return
			}
			b := vm.Range{Start: at, End: at + size}
			if l.covered(b, anonymous) && l.add(classify.Finding{Kind: classify.JemallocOwn, Detail: "base block", Confidence: classify.Certain,
				Evidence: "the block's header and the record of its rest agree", Parts: []classify.Part{{Range: b}}}) {
				blocks = append(blocks, b)
			}
		}
	}
	l.jemallocExtents(blocks)
}

// hasJemalloc reports whether a file contains jemalloc, under whatever prefix.
func (m *Image) hasJemalloc() bool {
	return strings.HasPrefix(m.name(), "libjemalloc") || m.exported("mallctl") != 0 || m.says("<jemalloc>: ")
}

// jemallocExtents adds the extents described by the records in base blocks: page ranges in private anonymous memory,
// with adjacent ones joined. A record kept for reuse still describes its former range, which jemalloc keeps as well.
func (l *look) jemallocExtents(blocks []vm.Range) {
	var named rangeSet
	n := 0
	var w [3]uint64
	for _, b := range blocks {
		for res := range l.Memory.Resident(b) {
			for at := res.Start; at < res.End && n < maxExtents; at += edataSize {
				if !l.fill(w[:], at) {
					break
				}
				// A large allocation begins somewhere in its first page, to spread cache lines (edata_base_get).
				r := vm.Range{Start: vm.PageDown(w[1]), End: vm.PageDown(w[1]) + w[2]&^(vm.PageSize-1)}
				if w[1] == 0 || w[1]%64 != 0 || r.End <= r.Start || r.End > vm.AddressMax {
					continue
				}
				n++
				for _, f := range named.free(r) {
					if l.covered(f, anonymous) && !l.claims.overlaps(f) {
						named.add(f)
					}
				}
			}
		}
	}
	for _, r := range named.ranges() {
		l.add(classify.Finding{Kind: classify.Jemalloc, Confidence: classify.Certain,
			Evidence: "jemalloc's records of its extents, in its own base blocks", Parts: []classify.Part{{Range: r}}})
	}
}
