package inspect

import (
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	arenaObjectSize = 48 // struct arena_object of CPython's Objects/obmalloc.c
	maxPyArenas     = 1 << 20
	maxUnused       = 1 << 12 // records in a row
)

// pySizes lists the sizes of arenas and pools: since CPython 3.10, and before.
var pySizes = [...]struct{ arena, pool uint64 }{{1 << 20, 16 << 10}, {256 << 10, 4 << 10}}

// isPython reports whether m is CPython, by its file name.
func isPython(m *Image) bool {
	return strings.HasPrefix(m.name(), "libpython") || strings.HasPrefix(m.name(), "python")
}

// findCPython recognises pymalloc's arenas by its array of struct arena_object. Each element has the address of its
// arena and of the arena's next free pool, and the number of pools; the arena's first pool has the element's index in
// the array. All elements must agree on the start of the array, to which one of Python's variables points. If no
// variable points to it, the array is searched for on the heap (brk).
func findCPython(l *look) {
	if l.image2(isPython) == nil {
		return
	}
	for _, w := range l.variablesOf(isPython) {
		if e := l.row(w); e == nil || !private(e) {
			continue
		}
		if w%16 != 0 || !l.pyFirst(w) {
			continue
		}
		for _, s := range pySizes {
			if l.pyArenas(w, s.arena, s.pool) {
				return
			}
		}
	}
	for i := range l.Rows {
		e := &l.Rows[i]
		if e.File.Path != "[heap]" {
			continue
		}
		for at, w := range l.scan(e.Range) {
			for _, s := range pySizes {
				if !aligned(w) {
					break
				}
				if index, ok := l.pyArena(at, s.arena, s.pool); ok && l.pyArenas(at-uint64(index)*arenaObjectSize, s.arena, s.pool) {
					return
				}
			}
		}
	}
}

// pyFirst reports whether the first element of an array of arenas may be at addr: one with an arena, or an unused one
// that points to the next unused one.
func (l *look) pyFirst(addr uint64) bool {
	start, ok := l.word(addr)
	if !ok || !aligned(start) {
		return false
	}
	if start != 0 {
		next, _ := l.word(addr + 8)
		return next > start && next <= start+pySizes[0].arena
	}
	next, ok := l.word(addr + 32)
	return ok && next > addr && (next-addr)%arenaObjectSize == 0 && (next-addr)/arenaObjectSize < maxPyArenas
}

// pyArena reports whether the record of an arena is at addr, and returns its index in the array.
func (l *look) pyArena(addr, size, pool uint64) (index uint32, ok bool) {
	w := l.words(addr, 3)
	if w == nil {
		return 0, false
	}
	start, next := w[0], w[1]
	free, total := uint32(w[2]), uint32(w[2]>>32)
	first := (start + pool - 1) &^ (pool - 1)
	if start == 0 || !aligned(start) || next <= first || next > start+size || next%pool != 0 || free > total || uint64(total) != (start+size-first)/pool {
		return 0, false
	}
	// struct pool_header: count, free block, two links, then arenaindex, szidx, nextoffset, maxnextoffset.
	h := l.words(first, 6)
	if h == nil {
		return 0, false
	}
	index, class, most := uint32(h[4]), uint32(h[4]>>32), uint32(h[5]>>32)
	return index, class < 64 && uint64(most) == pool-16*(uint64(class)+1) && uint64(index) < maxPyArenas && uint64(index)*arenaObjectSize <= addr
}

// pyArenas adds all arenas of the array at base and reports whether there were any.
func (l *look) pyArenas(base, size, pool uint64) bool {
	found := false
	unused := 0
	for i := range uint64(maxPyArenas) {
		at := base + i*arenaObjectSize
		w, ok := l.word(at)
		if !ok || unused > maxUnused {
			break
		}
		if w == 0 {
			unused++
			continue
		}
		unused = 0
		if index, ok := l.pyArena(at, size, pool); !ok || uint64(index) != i {
			break // the array has ended
		}
		r := vm.Range{Start: w, End: w + size}
		if l.covered(r, private) {
			found = l.add(classify.Finding{Kind: classify.CPython, Confidence: classify.Certain,
				Evidence: "pymalloc's record of the arena and its first pool name each other", Parts: []classify.Part{{Range: r}}}) || found
		}
	}
	return found
}
