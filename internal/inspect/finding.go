package inspect

import (
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// Finding is one thing that was recognised: a thread's stack, an arena, the image of a file.
type Finding struct {
	Kind       classify.Kind
	Detail     string // which one: "of thread 9838 worker"; may be ""
	TID        int    // the thread that it belongs to, 0 for none
	Confidence classify.Confidence
	Evidence   string // the two facts that agree, one clause
	Parts      []Part
	// What an allocator's own books say of the thing, in bytes; nil where it has none or they did not agree.
	Books *Books
}

// Part is a piece of a finding. Pieces of one finding do not overlap.
type Part struct {
	vm.Range
	Kind classify.Kind // "" for that of the finding
}

// Books are an allocator's own figures, in bytes.
type Books struct {
	System uint64 // what it holds from the kernel, opened for use
	Free   uint64 // of that what nobody uses, the top included
	Top    uint64 // of that what lies at the end and could be given back at once
}

// findings collects what was found; the first to claim a byte keeps it.
type findings struct {
	list   []Finding
	claims rangeSet
}

// add adds f unless a part of it is taken already, and reports whether it did. The rest of a finding of which
// a part is taken would be another thing than was recognised.
func (s *findings) add(f Finding) bool {
	for _, p := range f.Parts {
		if p.Empty() || s.claims.overlaps(p.Range) {
			return false
		}
	}
	for _, p := range f.Parts {
		s.claims.add(p.Range)
	}
	s.list = append(s.list, f)
	return true
}
