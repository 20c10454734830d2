package inspect

import (
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	mozChunk    = 1 << 20 // kChunkSize of Firefox's memory/build/Constants.h
	mozPages    = mozChunk / vm.PageSize
	mozMapped   = 24 // bytes of an arena_chunk_map_t (memory/build/Chunk.h): two links, the bits of a page
	mozFirst    = 3  // pages of a chunk that no run has: its header, and a guard
	mozHeader   = 32 // of an arena_chunk_t before its map; up to
	mozHeaders  = 96 // in other versions
	mozNode     = 7  // words of an extent_node_t (memory/build/Extent.h) that are looked at
	mozMaxNodes = 1 << 16
	mozTypes    = 8 // values of ChunkType
)

// Bits of a page in an arena_chunk_map_t.
const (
	mozAllocated   = 0x01
	mozLarge       = 0x02
	mozDecommitted = 0x20
)

// findMozjemalloc recognises the memory of Firefox's malloc: chunks of 1 MiB that begin with a pointer to their arena
// and a map of their pages, and the large blocks and free chunks in its two trees. The records of both lie in chunks of
// its own.
func findMozjemalloc(l *look) {
	m := l.image2(func(m *Image) bool { return m.exported("moz_arena_malloc") != 0 })
	if m == nil {
		return
	}
	base := map[uint64]bool{} // chunks in which records lie
	for i := range l.Rows {
		e := &l.Rows[i]
		if !private(e) || e.File.Path != "" {
			continue
		}
		for at := range l.multiples(e, mozChunk) {
			r := vm.RangeOf(at, mozChunk)
			arena := l.mozArena(at)
			if arena == 0 || !l.covered(r, anonymous) {
				continue
			}
			if l.add(classify.Finding{Kind: classify.Mozjemalloc, Detail: "chunk", Confidence: classify.Certain,
				Evidence: "a chunk that names its arena, with a map of runs that begin in it", Parts: l.partsOf(r)}) {
				base[arena&^(mozChunk-1)] = true
			}
		}
	}
	for _, w := range l.variables(m) {
		l.mozTree(w, base)
	}
	for _, x := range l.pairs(m) {
		l.mozPHC(vm.Range{Start: x[0], End: x[1]})
	}
	var own []uint64
	for at := range base {
		own = append(own, at)
	}
	slices.Sort(own)
	for _, at := range own {
		if r := vm.RangeOf(at, mozChunk); l.covered(r, anonymous) {
			l.add(classify.Finding{Kind: classify.MozjemallocOwn, Confidence: classify.Certain,
				Evidence: "arenas, or records of blocks, that lie in it", Parts: l.partsOf(r)})
		}
	}
}

// mozArena returns the arena of the chunk at addr, 0 if there is no chunk. A chunk's last page is a guard; the map's
// entries for runs of small blocks give an offset in the chunk, those for large runs a length. If all is free, both
// ends of the map give that length.
func (l *look) mozArena(addr uint64) uint64 {
	arena, ok := l.word(addr)
	if e := l.row(arena); !ok || arena%8 != 0 || arena&^(mozChunk-1) == addr || e == nil || !private(e) {
		return 0
	}
	for from := uint64(mozHeader); from <= mozHeaders; from += 8 {
		w := l.words(addr+from, mozPages*mozMapped/8)
		if w == nil || w[len(w)-1] != mozDecommitted || w[2] != 0 {
			continue
		}
		runs, large := 0, 0
		for i := 2; i < len(w); i += 3 {
			switch at, flags := vm.PageDown(w[i]), w[i]%vm.PageSize; {
			case flags&mozAllocated == 0:
			case flags&mozLarge == 0 && at > addr && at <= addr+uint64(i/3)*vm.PageSize:
				runs++
			case flags&mozLarge != 0 && at < mozChunk:
				large++
			default:
				return 0
			}
		}
		page := func(i uint64) uint64 { return vm.PageDown(w[3*i+2]) }
		if runs+large > 0 || page(mozFirst) == (mozPages-1-mozFirst)*vm.PageSize && page(mozPages-2) == page(mozFirst) { // all free
			return arena
		}
	}
	return 0
}

// mozTree adds the ranges in a tree of extents, if root is one: large blocks with their own chunks, whose records name
// an arena, or chunks that are kept for reuse, whose records have a number in that place. base gets the chunks in which
// the records lie.
func (l *look) mozTree(root uint64, base map[uint64]bool) {
	if e := l.row(root); root%8 != 0 || e == nil || !private(e) || !base[root&^(mozChunk-1)] {
		return
	}
	var found []classify.Finding
	nodes := map[uint64]bool{}
	var walk func(at uint64, low, high uint64) bool
	walk = func(at, low, high uint64) bool {
		if at == 0 {
			return true
		}
		w := l.words(at, mozNode)
		if w == nil || nodes[at] || len(nodes) > mozMaxNodes || w[4]%mozChunk != 0 || w[4] <= low || w[4] >= high || w[5] == 0 || !aligned(w[5]) || w[5] > high {
			return false
		}
		nodes[at] = true
		f := classify.Finding{Kind: classify.Mozjemalloc, Detail: "large block", Confidence: classify.Certain, Evidence: "the tree of mozjemalloc's extents, which is in order"}
		r := vm.RangeOf(w[4], w[5])
		switch e := l.row(w[6]); {
		case w[6] < mozTypes && w[5]%mozChunk == 0:
			f.Detail = "free chunk"
		case e != nil && private(e): // with a guard behind it, up to the end of a chunk
			if whole := vm.RangeOf(w[4], (w[5]+vm.PageSize+mozChunk-1)&^(mozChunk-1)); l.covered(whole, anonymous) {
				r = whole
			}
		default:
			return false
		}
		if !l.covered(r, anonymous) {
			return false
		}
		f.Parts = l.partsOf(r)
		found = append(found, f)
		return walk(w[2], low, w[4]) && walk(w[3]&^1, r.End-1, high)
	}
	if !walk(root, 0, vm.AddressMax) {
		return
	}
	for at := range nodes {
		base[at&^(mozChunk-1)] = true
	}
	for _, f := range found {
		l.add(f)
	}
}

// mozPHC adds the pages of Firefox's probabilistic heap checker (memory/build/PHC.cpp), if r is between two variables that stand side by
// side: some of its pages have a block each, and the first and the others are guards.
func (l *look) mozPHC(r vm.Range) {
	if r.Empty() || r.Start == 0 || (r.Start|r.End)%mozChunk != 0 || !l.covered(r, func(e *vm.SmapsEntry) bool { return inaccessible(e) || private(e) && e.Len() <= 2*vm.PageSize }) {
		return
	}
	if l.row(r.Start).Perms == 0 {
		l.add(classify.Finding{Kind: classify.Mozjemalloc, Detail: "probabilistic heap checker", Confidence: classify.Certain,
			Evidence: "two variables side by side hold its ends, and its pages have guards between them", Parts: l.partsOf(r)})
	}
}
