package inspect

import (
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	goLevels      = 5         // summaryLevels of runtime/mpagealloc.go
	goPersistent  = 256 << 10 // persistentChunkSize of runtime/malloc.go
	goArenaHead   = 64 << 10  // heapArena.spans, what a heapArena begins with
	maxPersistent = 1 << 16
	goChunk       = 4 << 20 // pallocChunkBytes of runtime/mpagealloc.go
)

// goOwn adds the runtime's own memory, where a second fact says that it is: the map of arenas and the descriptions that
// it leads to, the summaries of free pages, of which five slices in a row have the capacities that the runtime gives
// them, and the chunks that it never frees (persistentalloc), which are a list. What the program maps itself looks no
// different, so nothing is concluded from appearance alone.
func (l *look) goOwn(image *Image, heap uint64) {
	own := func(r vm.Range, detail string) {
		if l.covered(r, anonymous) {
			l.add(classify.Finding{Kind: classify.GoOwn, Detail: detail, Confidence: classify.Certain,
				Evidence: "the runtime's own records lead to it", Parts: []classify.Part{{Range: r}}})
		}
	}
	own(vm.Range{Start: heap, End: heap + goMapSize}, "heap index")
	var heads []uint64
	for _, w := range l.scan(vm.Range{Start: heap + goMapBase, End: heap + goMapSize}) {
		if aligned(w) {
			heads = append(heads, w)
		}
	}
	// How long one is differs between versions: as long as the shortest way from one to the next.
	slices.Sort(heads)
	size := uint64(2 * goArenaHead)
	for i := 1; i < len(heads); i++ {
		size = min(size, heads[i]-heads[i-1])
	}
	if size == 2*goArenaHead {
		size = goArenaHead
	}
	for _, at := range heads {
		own(vm.Range{Start: at, End: at + size}, "description of an arena")
	}
	var heapChunks, spans []uint64
	for at := range l.scan(vm.Range{Start: heap + goMapBase, End: heap + goMapSize}) {
		heapChunks = append(heapChunks, ((at-heap-goMapBase)/8*goArena+1<<47)/goChunk)
	}
	for _, at := range heads {
		for _, w := range l.scan(vm.Range{Start: at, End: at + goArenaHead}) {
			if len(spans) == 0 || spans[len(spans)-1] != w {
				spans = append(spans, w)
			}
		}
	}
	for at, w := range l.variables(image) {
		if aligned(w) {
			l.goSummaries(at, heapChunks, own)
			l.goChunks(w, spans, own)
		}
	}
}

// goSummaries adds the summaries of pageAlloc.summary, if that stands at addr: slices of 8-byte summaries with
// capacities of 2^14, 2^17, 2^20, 2^23 and 2^26 (levelBits and levelShift of runtime/mpagealloc_64bit.go), behind which the
// bitmaps of the heap's chunks have their places.
func (l *look) goSummaries(addr uint64, heapChunks []uint64, own func(vm.Range, string)) {
	w := l.words(addr, 3*goLevels)
	if w == nil {
		return
	}
	for i := range goLevels {
		if at, n, c := w[3*i], w[3*i+1], w[3*i+2]; !aligned(at) || n > c || c != 1<<(14+3*i) {
			return
		}
	}
	for _, c := range heapChunks {
		if w, ok := l.word(addr + 3*goLevels*8 + c>>13*8); !ok || w == 0 || !aligned(w) {
			return
		}
	}
	for i := range goLevels {
		own(vm.Range{Start: w[3*i], End: w[3*i] + w[3*i+2]*8}, "page summaries")
	}
	// Behind them stand the bitmaps of pages, 8,192 places for 8,192 chunks of 128 bytes each (pageAlloc.chunks), and
	// not far from those the index of the scavenger, a slice of as many words as the last summary has.
	addr += 3 * goLevels * 8
	for i := range uint64(1 << 13) {
		if w, ok := l.word(addr + 8*i); ok && w != 0 && aligned(w) {
			own(vm.Range{Start: w, End: w + 1<<20}, "page bitmaps")
		}
	}
	addr += 8 << 13
	for i := range uint64(64) {
		if w := l.words(addr+8*i, 3); w != nil && aligned(w[0]) && w[1] == w[2] && w[2] == 1<<26 {
			own(vm.Range{Start: w[0], End: w[0] + w[2]*8}, "scavenger's index")
			return
		}
	}
}

// goChunks adds the chunks of persistentalloc from at on, if it is their list: each begins with the place of the next.
// One alone is no list, and programs have lists of blocks, too; the runtime's contain the descriptions of the heap's spans.
func (l *look) goChunks(at uint64, spans []uint64, own func(vm.Range, string)) {
	var list []uint64
	for at != 0 {
		if e := l.row(at); !aligned(at) || len(list) > maxPersistent || e == nil || !private(e) || l.claims.overlaps(vm.Range{Start: at, End: at + goPersistent}) {
			return
		}
		list = append(list, at)
		next, ok := l.word(at)
		if !ok {
			return
		}
		at = next
	}
	if len(list) < 3 || !slices.ContainsFunc(list, func(at uint64) bool {
		return slices.ContainsFunc(spans, func(s uint64) bool { return s >= at && s-at < goPersistent })
	}) {
		return
	}
	for _, at := range list {
		own(vm.Range{Start: at, End: at + goPersistent}, "persistent chunk")
	}
}
