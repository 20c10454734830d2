package inspect

import (
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	v8Sandbox = 1 << 35   // bytes of the smallest sandbox
	v8Cage    = 4 << 30   // of a pointer compression cage, with which the sandbox begins
	v8Trusted = 1 << 30   // kMaximalTrustedRangeSize of V8's src/common/globals.h
	v8Guard   = 224 << 30 // kAdditionalTrailingGuardRegionSize of src/sandbox, behind the reservation
	v8Objects = 64 << 20  // of the smallest heap of C++ objects
)

// findV8Sandbox recognises V8's sandbox in programs without symbols, as Chromium and Electron are, by the fields of
// class Sandbox (src/sandbox/sandbox.h): its start, end and size, and the start and size of its reservation, agree
// with each other and with the rows. Another variable with the start of the sandbox is followed by the starts of the
// trusted space and of the code range. The heap of C++ objects has a variable for its start beside one for its size
// (cppgc's CagedHeap), and no code in it.
func findV8Sandbox(l *look) {
	if !l.reserved(v8Cage, v8Cage) {
		return
	}
	for _, m := range l.images {
		var base uint64
		for at, w := range l.variables(m) {
			if w%v8Cage != 0 || l.row(w) == nil {
				continue
			}
			if x := l.words(at, 5); x != nil && base == 0 && l.v8Sandbox(x) {
				base = w
			}
			if size, ok := l.word(at + 8); ok && w != base && size >= v8Objects && size&(size-1) == 0 && w%size == 0 && base != 0 {
				r := vm.Range{Start: w, End: w + size}
				if l.rowsOf(r) && l.covered(r, notCode) && !l.claims.overlaps(r) {
					l.add(classify.Finding{Kind: classify.V8Heap, Detail: "of C++ objects", Confidence: classify.Certain,
						Evidence: "variables side by side hold its beginning and its length, and the rows are as long", Parts: l.partsOf(r)})
				}
			}
		}
		if base == 0 {
			continue
		}
		for at, w := range l.variables(m) {
			if w == base {
				l.v8Beside(l.words(at, 3))
			}
		}
		return
	}
}

// notCode reports whether a row cannot be executed.
func notCode(e *vm.SmapsEntry) bool { return e.Perms&vm.Exec == 0 }

// v8Sandbox adds the sandbox that these words describe, but for what of it others have claimed, and reports whether they do.
func (l *look) v8Sandbox(w []uint64) bool {
	r, whole := vm.Range{Start: w[0], End: w[1]}, vm.Range{Start: w[3], End: w[3] + w[4]}
	if r.Empty() || w[2] != r.Len() || w[2] < v8Sandbox || w[2]&(w[2]-1) != 0 || whole.Empty() || !whole.Covers(r) || !l.beginsRow(whole.Start) || !l.covered(whole, anonymous) {
		return false
	}
	if e := l.row(whole.End); e != nil && inaccessible(e) && e.End-whole.End == v8Guard {
		whole.End = e.End
	}
	const evidence = "variables that hold the sandbox's ends, its length and its reservation's agree with each other and with the rows"
	heap := classify.Finding{Kind: classify.V8Heap, Detail: "of JavaScript", Confidence: classify.Certain, Evidence: evidence}
	rest := classify.Finding{Kind: classify.V8Cage, Detail: "sandbox", Confidence: classify.Certain, Evidence: evidence}
	for _, x := range l.claims.free(whole) {
		for _, p := range l.partsOf(x) {
			// The sandbox begins with the cage of compressed pointers.
			if p.Start >= r.Start && p.End <= r.Start+v8Cage && !inaccessible(l.row(p.Start)) {
				heap.Parts = append(heap.Parts, p)
			} else {
				rest.Parts = append(rest.Parts, p)
			}
		}
	}
	l.add(heap)
	return l.add(rest)
}

// v8Beside adds what the words beside the beginning of the cage lead to: trusted objects, and code.
func (l *look) v8Beside(w []uint64) {
	if w == nil {
		return
	}
	const evidence = "a variable beside that of the cage holds its beginning, and the rows are as long"
	if r := (vm.Range{Start: w[1], End: w[1] + v8Trusted}); l.rowsOf(r) && !l.claims.overlaps(r) {
		l.add(classify.Finding{Kind: classify.V8Heap, Detail: "of trusted objects", Confidence: classify.Certain, Evidence: evidence, Parts: l.partsOf(r)})
	}
	for n := uint64(64 << 20); n <= 512<<20; n *= 2 {
		r := vm.Range{Start: w[2], End: w[2] + n}
		if e := l.row(w[2]); e == nil || e.Perms&vm.Exec == 0 || !l.rowsOf(r) || l.claims.overlaps(r) {
			continue
		}
		l.add(classify.Finding{Kind: classify.V8Code, Confidence: classify.Certain, Evidence: evidence, Parts: l.partsOf(r)})
		return
	}
}
