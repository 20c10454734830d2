package ledger

import "github.com/vmblame/vmblame/internal/vm"

// Extend maps at, with origin o, as the continuation of the piece that ends at its start, as mremap(2) does to grow a
// mapping in place and brk(2) to grow the heap; it appends what it changed to dst. If no piece ends there it does
// nothing.
func (l *Ledger) Extend(at vm.Range, o Origin, dst []Change) []Change {
	if at.Empty() || at.Start == 0 {
		return dst
	}
	e := l.find(at.Start - 1)
	if e == nil || e.End != at.Start {
		return dst
	}
	return l.Add(e.after(at, o), dst)
}

// Move moves the pages of from to the address to, where they become newLen bytes with origin o, as mremap(2) does,
// and appends what it changed to dst, in this order: what is mapped at the target is removed, then from (unless
// keepOld, for MREMAP_DONTUNMAP), then the pieces are added at the target, each with its former address and origin.
// Where newLen exceeds from, the rest continues the last piece without a former address; where it is less, the rest
// of from is only removed. A hole in from moves nothing, and the pages at its place in the target stay (Linux 6.17
// and later, mm/mremap.c remap_move).
//
// An empty from asks for mremap's old_size 0: a second mapping of what stands at from.Start, which stays.
func (l *Ledger) Move(from vm.Range, to, newLen uint64, o Origin, keepOld bool, dst []Change) []Change {
	if from.Empty() {
		e := l.find(from.Start)
		if e == nil {
			return dst
		}
		from.End = e.End
		keepOld = true
	}
	if newLen == 0 || to+newLen < to {
		return dst
	}
	carried := vm.Range{Start: from.Start, End: from.Start + min(from.Len(), newLen)}
	moved := l.extra[:0]
	l.scan(carried, func(e *Entry) bool {
		moved = append(moved, e.cut(carried))
		return true
	})
	if len(moved) > 0 && newLen > from.Len() {
		if last := moved[len(moved)-1]; last.End == from.End {
			rest := last.after(vm.Range{Start: from.End, End: from.Start + newLen}, o)
			moved = append(moved, &rest)
		}
	}
	l.extra = moved
	target := func(r vm.Range) vm.Range {
		return vm.Range{Start: r.Start - from.Start + to, End: r.End - from.Start + to}
	}
	for i := 0; i < len(moved); {
		r := moved[i].Range
		for i++; i < len(moved) && moved[i].Start == r.End; i++ {
			r.End = moved[i].End
		}
		dst = l.Remove(target(r), dst)
	}
	if !keepOld {
		dst = l.Remove(from, dst)
	}
	for _, was := range moved {
		now := *was
		now.Range = target(was.Range)
		if was.End <= carried.End {
			now.Origin = o
			now.Moved = &Moved{was.Start, was.Origin}
		}
		dst = l.Add(now, dst)
	}
	clear(moved)
	return dst
}
