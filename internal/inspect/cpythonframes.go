package inspect

import (
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	pyChunk     = 16 << 10 // DATA_STACK_CHUNK_SIZE of CPython's Python/pystate.c: the least, and doubled as needed
	pyMaxChunks = 1 << 12
	pyThread    = 256 // words at most of a PyThreadState in front of its data stack
)

// findPyFrames recognises the interpreter's data stacks (3.11 and later), lists of chunks. A PyThreadState has the
// address of the last chunk, its fill level and its end; a chunk starts with the address of the previous one, its
// size and its fill level. The first thread's state is one of Python's variables; the other states are linked to it
// and have these fields at the same offset.
func findPyFrames(l *look) {
	for at, chunk := range l.variablesOf(isPython) {
		if !aligned(chunk) {
			continue
		}
		if e := l.row(chunk); e == nil || !private(e) || !l.pyStack(at) {
			continue
		}
		// The state starts some words before: previous state, next state, interpreter.
		for back := uint64(24); back < pyThread*8; back += 8 {
			state := at - back
			w := l.words(state, 2)
			if w == nil || w[0]|w[1] == 0 {
				continue
			}
			if l.pyNeighbours(state, back) {
				break
			}
		}
	}
}

// pyNeighbours adds the stacks of the threads before and behind the one at state, which have theirs at offset off, and
// reports whether there are any.
func (l *look) pyNeighbours(state, off uint64) bool {
	found := false
	for link := range uint64(2) {
		at := state
		for n := 0; n < maxThreads; n++ {
			next, ok := l.word(at + 8*link)
			back, ok2 := l.word(next + 8*(1-link))
			if !ok || !ok2 || next == 0 || back != at {
				break
			}
			if found = l.pyStack(next+off) || found; !found {
				break
			}
			at = next
		}
	}
	return found
}

// pyStack adds the chunks of the data stack whose last chunk, fill level and end are the three words at addr, and
// reports whether it did: not if they do not describe such a stack.
func (l *look) pyStack(addr uint64) bool {
	w := l.words(addr, 3)
	if w == nil || w[0] == 0 || !aligned(w[0]) || w[1] <= w[0] || w[1] > w[2] || l.claims.overlaps(vm.RangeOf(w[0], 1)) {
		return false
	}
	var list []vm.Range
	end := w[2]
	for at := w[0]; at != 0 && len(list) < pyMaxChunks; {
		c := l.words(at, 3) // previous, size, top
		if c == nil || c[1] < pyChunk || c[1] > 1<<40 || c[1]&(c[1]-1) != 0 || !aligned(at) || end != 0 && end != at+c[1] || end == 0 && c[2]*8 > c[1] {
			return false
		}
		r := vm.RangeOf(at, c[1])
		if !l.covered(r, private) {
			return false
		}
		list = append(list, r)
		at, end = c[0], 0
	}
	for _, r := range list {
		l.add(classify.Finding{Kind: classify.CPython, Detail: "frame stack", Confidence: classify.Certain,
			Evidence: "the thread's state and the chunk agree on its end", Parts: []classify.Part{{Range: r}}})
	}
	return true
}
