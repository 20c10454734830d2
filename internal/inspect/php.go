package inspect

import (
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	zendChunk = 2 << 20 // ZEND_MM_CHUNK_SIZE of PHP's Zend/zend_alloc.c
	zendHeap  = 128     // words at most of a struct _zend_mm_heap
	maxChunks = 1 << 16
)

// isPHP reports whether m contains PHP, by its file name.
func isPHP(m *Image) bool {
	name := m.name()
	return strings.HasPrefix(name, "php") || strings.HasPrefix(name, "libphp") || strings.HasPrefix(name, "mod_php")
}

// findPHP recognises the heap of Zend's memory manager. Each chunk starts with a pointer to its heap, which lies in
// the first chunk, and links to the next and the previous chunk of the ring. The sizes of chunks and huge blocks must
// add up to the heap's own counter (memory_get_usage(true)).
func findPHP(l *look) {
	if l.image2(isPHP) == nil {
		return
	}
	for i := range l.Rows {
		e := &l.Rows[i]
		if !private(e) || e.File.Path != "" {
			continue
		}
		for at := range l.multiples(e, zendChunk) {
			heap, ok := l.word(at)
			if ok && heap > at && heap < at+vm.PageSize && !l.claims.overlaps(vm.RangeOf(at, 1)) {
				l.zend(at, heap)
			}
		}
	}
}

// zend adds the chunks of the ring that begins at first, and the huge blocks of its heap.
func (l *look) zend(first, heap uint64) {
	var list []vm.Range
	for at, before := first, uint64(0); ; {
		w := l.words(at, 3) // heap, next, previous
		r := vm.RangeOf(at, zendChunk)
		if w == nil || w[0] != heap || at%zendChunk != 0 || before != 0 && w[2] != before || len(list) > maxChunks || !l.covered(r, private) {
			return
		}
		list = append(list, r)
		if before, at = at, w[1]; at == first {
			if l.ringEnds(first, before) {
				break
			}
			return
		}
	}
	sum := uint64(len(list)) * zendChunk
	w := l.upTo(heap, zendHeap)
	for i := 1; i+1 < len(w); i++ {
		if w[i] != first { // main_chunk, behind huge_list and before cached_chunks
			continue
		}
		huge := l.zendHuge(w[i-1])
		total := sum
		for _, r := range huge {
			total += r.Len()
		}
		for k := range i {
			if w[k] == total { // real_size
				l.zendAdd("chunk", list)
				l.zendAdd("huge block", huge)
				l.zendAdd("cached chunk", l.zendCached(w[i+1], heap))
				return
			}
		}
	}
}

// ringEnds reports whether the first element of a ring points back to the last.
func (l *look) ringEnds(first, last uint64) bool {
	previous, ok := l.word(first + 16)
	return ok && previous == last
}

// zendHuge returns the blocks in the list of huge blocks, whose elements are {address, size, next}.
func (l *look) zendHuge(at uint64) (list []vm.Range) {
	for at != 0 && len(list) < maxChunks {
		w := l.words(at, 3)
		if w == nil || !aligned(w[0]) || w[1] == 0 || !aligned(w[1]) {
			return list
		}
		r := vm.RangeOf(w[0], w[1])
		if !l.covered(r, private) {
			return list
		}
		list = append(list, r)
		at = w[2]
	}
	return list
}

// zendCached returns the chunks that Zend keeps for reuse. Each must still point to its heap.
func (l *look) zendCached(at, heap uint64) (list []vm.Range) {
	for at != 0 && len(list) < maxChunks {
		w := l.words(at, 2)
		r := vm.RangeOf(at, zendChunk)
		if w == nil || w[0] != heap || at%zendChunk != 0 || !l.covered(r, private) {
			return list
		}
		list = append(list, r)
		at = w[1]
	}
	return list
}

func (l *look) zendAdd(detail string, list []vm.Range) {
	for _, r := range list {
		l.add(classify.Finding{Kind: classify.PHP, Detail: detail, Confidence: classify.Certain,
			Evidence: "the ring of Zend's chunks and its huge blocks, which add up to what the heap counts", Parts: []classify.Part{{Range: r}}})
	}
}
