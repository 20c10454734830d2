package inspect

import (
	"debug/elf"
	"fmt"
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	// heapMax is HEAP_MAX_SIZE of glibc's malloc/arena.c for 64-bit programs without huge pages: a heap begins at a
	// multiple of it.
	heapMax = 64 << 20
	// arenaWords is how many words of a malloc_state are read: it has 2,200 bytes.
	arenaWords = 300
)

// glibcHeap is a heap_info (malloc/arena.c) as it stands at the start of a heap.
type glibcHeap struct {
	at               uint64
	arena, prev      uint64
	size, accessible uint64 // bytes in use by malloc, and opened by mprotect
}

// findArenas recognises a heap of a glibc arena by its heap_info, and believes it where the arenas that the heaps name
// are a ring (malloc_state.next) that leads through libc's own main_arena back to where it began.
func findArenas(l *look) {
	heaps := map[uint64]*glibcHeap{}
	var order []uint64
	for i := range l.Rows {
		e := &l.Rows[i]
		if !private(e) || e.File.Path != "" {
			continue
		}
		for at := range l.multiples(e, heapMax) {
			if h := l.heapInfo(at, e); h != nil {
				heaps[at] = h
				order = append(order, at)
			}
		}
	}
	byArena := map[uint64][]*glibcHeap{}
	for _, at := range order {
		h := heaps[at]
		byArena[h.arena] = append(byArena[h.arena], h)
	}
	for a, list := range byArena {
		if byArena[a] = l.heapChain(a, list); byArena[a] == nil {
			delete(byArena, a)
		}
	}
	ring, next := l.arenaRing(byArena)
	if len(byArena) == 0 {
		ring, next = l.loneArena()
	}
	for _, a := range ring {
		list := byArena[a]
		if list == nil {
			l.mainArena(a, next)
			continue
		}
		f := classify.Finding{Kind: classify.GlibcArena, Confidence: classify.Certain, Evidence: "heap_info at a multiple of 64 MiB, in the ring of malloc's arenas"}
		var sum uint64
		for _, h := range list {
			r := vm.Range{Start: h.at, End: h.at + heapMax}
			open := vm.Range{Start: h.at, End: h.at + h.accessible}
			f.Parts = append(f.Parts, classify.Part{Range: open})
			// The rest stays reserved; a writable row there would belong to something else.
			if rest := (vm.Range{Start: open.End, End: r.End}); !rest.Empty() && l.covered(rest, inaccessible) {
				f.Parts = append(f.Parts, classify.Part{Range: rest})
			}
			sum += h.size
		}
		f.Books = l.arenaBooks(a, next, func(system uint64) bool { return system == sum })
		if users, ok := l.word(a + next + 16); ok && users < maxThreads {
			f.Detail = fmt.Sprintf("%d threads attached", users)
			if users == 1 {
				f.Detail = "1 thread attached"
			}
		}
		l.add(f)
	}
}

// heapChain returns those heaps naming arena a that belong to it: from its newest heap, which has its top chunk, back
// to the one that the arena lies in. Other heaps that name the arena are copies, or only look like heaps. It returns
// nil if the arena lies in none of them.
func (l *look) heapChain(a uint64, heaps []*glibcHeap) []*glibcHeap {
	byPlace := map[uint64]*glibcHeap{}
	var first *glibcHeap
	for _, h := range heaps {
		if byPlace[h.at] = h; h.prev == 0 {
			first = h
		}
	}
	if first == nil {
		return nil
	}
	top, _ := l.word(a + topAt)
	var chain []*glibcHeap
	for h := byPlace[top&^(heapMax-1)]; h != nil; h = byPlace[h.prev] {
		delete(byPlace, h.at)
		if chain = append(chain, h); h == first {
			slices.Reverse(chain)
			return chain
		}
	}
	return []*glibcHeap{first}
}

// inaccessible reports whether e is anonymous and allows no access (PROT_NONE).
func inaccessible(e *vm.SmapsEntry) bool {
	return anonymous(e) && e.Perms&(vm.Read|vm.Write|vm.Exec) == 0
}

// heapInfo reads the heap_info at a multiple of heapMax; it returns nil if there is none.
func (l *look) heapInfo(at uint64, e *vm.SmapsEntry) *glibcHeap {
	w := l.words(at, 4)
	if w == nil {
		return nil
	}
	h := &glibcHeap{at, w[0], w[1], w[2], w[3]}
	if h.size == 0 || h.size > h.accessible || h.accessible > heapMax || !aligned(h.size) || !aligned(h.accessible) ||
		at+h.accessible > e.End && !l.covered(vm.Range{Start: at, End: at + h.accessible}, private) {
		return nil
	}
	first := h.arena > at && h.arena < at+256
	if first != (h.prev == 0) || h.arena == 0 || h.arena%16 != 0 || h.prev%heapMax != 0 {
		return nil
	}
	return h
}

// arenaRing returns the arenas in the order of their ring, and the offset of malloc_state.next: the offset for which
// the ring passes through all arenas that have heaps, and through one that has none, main_arena.
func (l *look) arenaRing(byArena map[uint64][]*glibcHeap) (ring []uint64, next uint64) {
	var start uint64
	for a := range byArena {
		if start == 0 || a < start {
			start = a
		}
	}
	if start == 0 {
		return nil, 0
	}
	first := l.words(start, arenaWords)
	for off := len(first) - 1; off > 200; off-- {
		ring = l.follow(start, uint64(off)*8, byArena)
		if ring != nil {
			return ring, uint64(off) * 8
		}
	}
	return nil, 0
}

// follow walks the ring from start by the pointers at offset off; it returns nil if that is no ring of arenas. An
// arena that is being created is not in the ring yet: one may be missing.
func (l *look) follow(start, off uint64, byArena map[uint64][]*glibcHeap) []uint64 {
	ring := []uint64{start}
	known, others := 1, 0
	for at := start; ; {
		n, ok := l.word(at + off)
		if !ok || n == 0 {
			return nil
		}
		if n == start {
			break
		}
		if len(ring) > len(byArena)+1 {
			return nil
		}
		if byArena[n] != nil {
			known++
		} else if m := l.imageAt(n); m == nil || others > 0 {
			return nil
		} else {
			others++
		}
		ring = append(ring, n)
		at = n
	}
	if others != 1 || known < len(byArena)-1 {
		return nil
	}
	return ring
}

// loneArena finds main_arena where there is no other: in libc's own data, a ring of one, whose top chunk ends where the
// program break does.
func (l *look) loneArena() (ring []uint64, next uint64) {
	libc := l.image(isGlibc)
	heap := slices.IndexFunc(l.Rows, func(e vm.SmapsEntry) bool { return e.File.Path == "[heap]" })
	if libc == nil || heap < 0 {
		return nil, 0
	}
	end := l.Rows[heap].End
	for _, p := range libc.File.Progs() {
		if p.Type != elf.PT_LOAD || p.Flags&elf.PF_W == 0 {
			continue
		}
		for at := (p.Vaddr + libc.Bias + 7) &^ 7; at < p.Vaddr+libc.Bias+p.Memsz; at += 8 {
			a, ok := l.word(at)
			if !ok || a%16 != 0 || at-a < 2000 || at-a > arenaWords*8 {
				continue
			}
			top, ok := l.word(a + topAt)
			if size, ok2 := l.chunkSize(top); ok && ok2 && top+size == end {
				return []uint64{a}, at - a
			}
		}
	}
	return nil, 0
}

// mainArena adds the books of the arena that lives on the program break.
func (l *look) mainArena(a, next uint64) {
	for i := range l.Rows {
		e := &l.Rows[i]
		if e.File.Path != "[heap]" {
			continue
		}
		f := classify.Finding{Kind: classify.Heap, Detail: "glibc's main arena", Confidence: classify.Certain, Evidence: "the kernel's label; main_arena in the ring of malloc's arenas"}
		if l.Aux != nil {
			f.Evidence = "malloc's parameters say that it begins there; main_arena in the ring of malloc's arenas"
		}
		f.Parts = []classify.Part{{Range: e.Range}}
		f.Books = l.arenaBooks(a, next, func(system uint64) bool { return system >= vm.PageSize && aligned(system) })
		l.add(f)
		return
	}
}
