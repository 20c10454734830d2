package inspect

import (
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	monoBlock   = 16 << 10                             // MS_BLOCK_SIZE of Mono's mono/sgen/sgen-marksweep.c
	monoBlocks  = 32 * monoBlock                       // as many are mapped at once (MS_BLOCK_ALLOC_NUM)
	monoSmall   = 8000                                 // bytes of the largest object in a block
	monoSection = 1 << 20                              // LOS_SECTION_SIZE of sgen-los.c
	monoMap     = 24                                   // bytes of a section before its map of free chunks
	monoHead    = 24                                   // of a LOSObject before what the program knows of it
	monoShared  = monoSection - vm.PageSize - monoHead // LOS_SECTION_OBJECT_LIMIT: of the largest object in a section
	monoCards   = 8 << 20                              // CARD_COUNT_IN_BYTES of sgen-cardtable.h
	monoList    = 1 << 20                              // entries of a list that are read
	monoNursery = uint64(128 << 10)                    // bytes of the smallest
	monoRecords = 64 << 20                             // bytes of malloc's memory that are searched for records of code
)

// isMono reports whether m is the Mono runtime, by its file name.
func isMono(m *Image) bool {
	return strings.HasPrefix(m.name(), "mono") && m.exported("mono_gc_collect") != 0 || strings.HasPrefix(m.name(), "libmono")
}

// findMono recognises the heap of Mono's collector, SGen. The nursery has variables for its length, its end and its
// start, the card tables have two. Variables point to arrays of the blocks of small objects, which start with the
// length and the number of their objects, and to the lists of large objects and of the sections that these share.
func findMono(l *look) {
	m := l.image2(isMono)
	if m == nil {
		return
	}
	add := func(detail, evidence string, r vm.Range) {
		if !l.claims.overlaps(r) && l.covered(r, private) {
			l.add(classify.Finding{Kind: classify.Mono, Detail: detail, Confidence: classify.Certain, Evidence: evidence, Parts: l.partsOf(r)})
		}
	}
	var blocks rangeSet
	var large []uint64
	for at, w := range l.variables(m) {
		e := l.row(w)
		if e == nil || !private(e) || e.File.Path != "" || w%8 != 0 {
			continue
		}
		if x := l.words(at-16, 4); x != nil { // what stands before it, it, and what stands behind
			nursery := vm.Range{Start: w, End: x[1]}
			switch size := x[0]; {
			case !nursery.Empty() && nursery.Len() == size && size >= monoNursery && size&(size-1) == 0 && w%size == 0:
				add("nursery", "variables side by side hold its length, its end and its beginning", nursery)
			case x[3] == w+monoCards && aligned(w):
				add("card tables", "two variables side by side hold them, one as long as the other", vm.Range{Start: w, End: w + 2*monoCards})
			}
		}
		l.monoSections(w, add)
		large = append(large, w) // those in sections are theirs
		l.monoListed(w, &blocks)
	}
	for _, w := range large {
		l.monoLarge(w, add)
	}
	for _, r := range l.monoRows(&blocks) {
		add("blocks", "Mono's list of blocks, which begin with the length and the number of their objects", r)
	}
	l.monoCode(add)
}

// monoCode adds the memory for code that is compiled as the program runs: rows of no file that can be written and executed, of which a
// CodeChunk (mono/utils/mono-codeman.c) in malloc's memory has the beginning, the next one, how much is in use, and the length.
func (l *look) monoCode(add func(detail, evidence string, r vm.Range)) {
	code := map[uint64]uint64{}
	for i := range l.Rows {
		if e := &l.Rows[i]; private(e) && e.Perms&vm.Exec != 0 && e.File.Path == "" && !l.claims.overlaps(e.Range) {
			code[e.Start] = e.End
		}
	}
	left := uint64(monoRecords)
	for i := range l.Rows {
		e := &l.Rows[i]
		if e.File.Path != "[heap]" || len(code) == 0 || e.Len() > left {
			continue
		}
		left -= e.Len()
		for at, start := range l.scan(e.Range) {
			end, ok := code[start]
			if !ok {
				continue
			}
			w := l.words(at, 3)
			if w == nil || w[2]>>32 == 0 || !aligned(w[2]>>32) || w[2]&(1<<32-1) > w[2]>>32 || w[1] != 0 && w[1]%8 != 0 {
				continue
			}
			// The kernel shows neighbours as one row.
			if next := start + w[2]>>32; next <= end {
				add("code", "Mono's record of code, with its beginning and its length", vm.Range{Start: start, End: next})
				if delete(code, start); next < end {
					code[next] = end
				}
			}
		}
	}
}

// monoRows returns the blocks, each row as a whole where it consists of pieces as Mono maps them, with one of the
// blocks in each: the others in a piece are free. The kernel shows neighbours as one row, so where a piece has none
// the row may be another's in part.
func (l *look) monoRows(blocks *rangeSet) (list []vm.Range) {
	for _, b := range blocks.ranges() {
		for e, x := range l.within(b) {
			if n := len(list); n > 0 && list[n-1].Covers(x) {
				continue
			}
			whole := e.Start%monoBlock == 0 && e.Len()%monoBlocks == 0
			for at := e.Start; whole && at < e.End; at += monoBlocks {
				whole = blocks.overlaps(vm.RangeOf(at, monoBlocks))
			}
			if whole {
				x = e.Range
			}
			list = append(list, x)
		}
	}
	return list
}

// monoSections adds the sections of large objects from the one at addr on.
func (l *look) monoSections(addr uint64, add func(detail, evidence string, r vm.Range)) {
	for n := 0; addr%monoSection == 0 && addr != 0 && n < monoList; n++ {
		w := l.words(addr, 3)
		if w == nil || w[1] > monoSection/vm.PageSize || w[2] != addr+monoMap {
			return
		}
		r := vm.RangeOf(addr, monoSection)
		if l.claims.overlaps(r) {
			return
		}
		add("section of large objects", "it leads to its own map of free chunks, from Mono's list of sections", r)
		addr = w[0]
	}
}

// monoLarge adds the large objects with pages of their own, if a list of large objects begins at addr and ends. A
// LOSObject has the next one, its length, a word, and then the object, which begins with its class. One that is too
// long for a section has as many pages as it needs, and begins anywhere in the first.
func (l *look) monoLarge(addr uint64, add func(detail, evidence string, r vm.Range)) {
	var found []vm.Range
	for n := 0; addr != 0; n++ {
		w := l.words(addr, 4)
		if w == nil || n > monoList || addr%8 != 0 || w[1]&6 != 0 || w[1] > 1<<40 {
			return
		}
		size := w[1] &^ 1 // marked as pinned
		if class := l.row(w[3]); size <= monoSmall || class == nil || !private(class) {
			return
		}
		r := pages(addr, monoHead+size)
		if !l.covered(r, private) {
			return
		}
		if size > monoShared {
			if r.Len() != vm.PageUp(monoHead+size) {
				return
			}
			found = append(found, r)
		}
		addr = w[0]
	}
	for _, r := range found {
		add("large object", "Mono's list of large objects, with the lengths that they begin with", r)
	}
}

// monoListed looks at an array of the addresses of blocks, whose lowest bits are marks, and collects the blocks.
func (l *look) monoListed(list uint64, blocks *rangeSet) {
	misses := 0
	for n := uint64(0); n < monoList && misses < 2; n++ {
		w, ok := l.word(list + 8*n)
		if !ok {
			return
		}
		at := w &^ 7
		e := l.row(at)
		head := l.words(at, 2)
		if at == 0 || at%monoBlock != 0 || e == nil || !private(e) || e.File.Path != "" || head == nil {
			misses++
			continue
		}
		size, count := head[0]&0xffff, head[1]&0xffff
		if size >= 16 && size <= monoSmall && size%8 == 0 && count > 0 && count*size <= monoBlock && head[0]>>40 == 0 {
			blocks.put(vm.RangeOf(at, monoBlock))
		} else {
			misses++
		}
	}
}
