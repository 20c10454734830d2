package inspect

import (
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	rubyPage      = 16 << 10 // HEAP_PAGE_SIZE of CRuby's gc.c; since 3.2 rubyPageLarge
	rubyPageLarge = 64 << 10
	rubyHead      = 1 << 10 // bytes at most in front of the first slot of a page

	// struct transient_heap (transient_heap.c, 2.6 to 3.2): an arena of blocks.
	rubyTransient, rubyBlock = 32 << 20, 32 << 10
	rubyFibers               = 1 << 16 // in one allocation of the pool
)

// isRuby reports whether m is Ruby, by its file name.
func isRuby(m *Image) bool {
	return strings.HasPrefix(m.name(), "libruby") || strings.HasPrefix(m.name(), "ruby")
}

// findRuby recognises CRuby's heap: pages of objects, the arena of short-lived objects, and the pool of fibers' stacks.
func findRuby(l *look) {
	if l.image2(isRuby) == nil {
		return
	}
	l.rubyPages()
	for _, w := range l.variablesOf(isRuby) {
		if w%rubyBlock == 0 {
			l.rubyTransient(w)
		}
	}
	for at, w := range l.variablesOf(isRuby) {
		if w%8 == 0 {
			l.rubyFibers(at, w)
		}
	}
}

// rubyPages adds the pages of objects. The first word of a page leads to its description (struct heap_page), one word of
// which, the same in all, is where the first slot of that very page is.
func (l *look) rubyPages() {
	type page struct{ at, slots uint64 }
	var pages [12][]page // by the word
	for i := range l.Rows {
		e := &l.Rows[i]
		if !private(e) || e.File.Path != "" {
			continue
		}
		for at := range l.multiples(e, rubyPage) {
			body, ok := l.word(at)
			if !ok || body%8 != 0 || body == 0 {
				continue
			}
			w := l.words(body, len(pages))
			if w == nil {
				continue
			}
			for k, start := range w {
				if start > at && start < at+rubyHead && start%8 == 0 {
					pages[k] = append(pages[k], page{at, w[0] & 0xffff * (w[0] >> 16 & 0xffff)})
					break
				}
			}
		}
	}
	best := pages[0]
	for _, list := range pages {
		if len(list) > len(best) {
			best = list
		}
	}
	size := uint64(rubyPage)
	for _, p := range best {
		if p.slots > rubyPage && p.slots <= rubyPageLarge {
			size = rubyPageLarge // bytes of slots in one page
		}
	}
	if len(best) < 2 {
		return
	}
	for _, p := range best {
		if r := vm.RangeOf(p.at, size); p.at%size == 0 && l.covered(r, private) {
			l.add(classify.Finding{Kind: classify.Ruby, Detail: "heap page", Confidence: classify.Certain,
				Evidence: "the page and its description name each other", Parts: []classify.Part{{Range: r}}})
		}
	}
}

// rubyTransient adds the arena of short-lived objects, if it is at addr: each of its blocks says that it is no larger than
// it is, and which one of them is the next.
func (l *look) rubyTransient(addr uint64) {
	r := vm.RangeOf(addr, rubyTransient)
	if l.claims.overlaps(r) || !l.covered(r, private) {
		return
	}
	linked := 0
	for at := r.Start; at < r.End; at += rubyBlock {
		w := l.words(at, 2)
		if w == nil || w[0]&0xffff > rubyBlock || w[1]%rubyBlock != 0 || w[1] != 0 && !r.Contains(w[1]) {
			return
		}
		if w[1] != 0 {
			linked++
		}
	}
	if linked < rubyTransient/rubyBlock/2 {
		return
	}
	l.add(classify.Finding{Kind: classify.Ruby, Detail: "transient heap", Confidence: classify.Certain,
		Evidence: "a variable of Ruby's leads to it, and its blocks lead to each other", Parts: []classify.Part{{Range: r}}})
}

// rubyFibers adds the stacks of the pool (struct fiber_pool of cont.c) at pool, if it is one, whose first allocation is at
// allocation: where they are, their size, and from one to the next, with a guard page below each; how many, and which
// pool they belong to.
func (l *look) rubyFibers(pool, allocation uint64) {
	for n := 0; allocation != 0 && n < rubyFibers; n++ {
		w, p := l.words(allocation, 6), l.words(pool, 4) // base, size, stride, count, pool, next; allocations, vacancies, size, count
		if w == nil || p == nil || w[4] != pool {
			return
		}
		base, size, stride, count := w[0], w[1], w[2], w[3]
		if !aligned(base) || !aligned(size) || size == 0 || size != p[2] || stride != size+vm.PageSize || count == 0 || count > p[3] || count > rubyFibers || size > 1<<32 {
			return
		}
		f := classify.Finding{Kind: classify.CoroutinePool, Detail: "of Ruby's fibers", Confidence: classify.Certain, Evidence: "Ruby's pool of fibers, and a guard below each stack"}
		for i := range count {
			guard := vm.RangeOf(base+i*stride, vm.PageSize)
			stack := vm.Range{Start: guard.End, End: guard.End + size}
			if !l.covered(guard, inaccessible) || !l.covered(stack, private) {
				return
			}
			f.Parts = append(f.Parts, classify.Part{Range: guard, Kind: classify.StackGuard}, classify.Part{Range: stack})
		}
		l.add(f)
		allocation = w[5]
	}
}
