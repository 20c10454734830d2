package inspect

import (
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	miSegment = 32 << 20 // MI_SEGMENT_SIZE of mimalloc 2 (include/mimalloc/types.h)
	miSlice   = 64 << 10 // MI_SEGMENT_SLICE_SIZE
	miHead    = 48       // words of a segment that may be its cookie
	maxSlices = 1 << 24  // of one segment: 1 TiB
	maxCookie = 1 << 12
)

// isMimalloc reports whether m is mimalloc's shared library, by its file name.
func isMimalloc(m *Image) bool { return strings.HasPrefix(m.name(), "libmimalloc") }

// findMimalloc recognises the segments of mimalloc 2 by their cookies: the word of a segment that, mixed with its address, is
// mimalloc's own secret, which is one of its variables. Behind it are the number of slices of the segment, and how many of
// them are its header.
func findMimalloc(l *look) {
	if l.image2(isMimalloc) == nil {
		return
	}
	secrets := map[uint64]bool{}
	for _, w := range l.variablesOf(isMimalloc) {
		if w>>48 != 0 && w>>48 != 0xffff && len(secrets) < maxCookie { // no address
			secrets[w] = true
		}
	}
	for i := range l.Rows {
		e := &l.Rows[i]
		if !private(e) || e.File.Path != "" {
			continue
		}
		for at := range l.multiples(e, miSegment) {
			w := l.words(at, miHead)
			for k := 0; k+2 < len(w); k++ {
				slices, head := w[k+1], w[k+2]
				if w[k] == 0 || !secrets[w[k]^at] || slices == 0 || slices > maxSlices || head == 0 || head > slices {
					continue
				}
				r := vm.RangeOf(at, slices*miSlice)
				if last := l.row(r.End - 1); last != nil && last.End == at+miGood(r.Len()) {
					r.End = last.End
				}
				if l.covered(r, anonymous) {
					l.add(classify.Finding{Kind: classify.Mimalloc, Detail: "segment", Confidence: classify.Certain,
						Evidence: "its cookie and its address make mimalloc's secret", Parts: l.partsOf(r)})
				}
				break
			}
		}
	}
}

// miGood returns how much mimalloc asks the kernel for where it needs size bytes, of 32 MiB and more (_mi_os_good_alloc_size of
// src/os.c).
func miGood(size uint64) uint64 {
	const step = 4 << 20
	if size < 32<<20 {
		return size
	}
	return (size + step - 1) &^ (step - 1)
}
