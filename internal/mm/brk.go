package mm

import (
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// broke enters the effect of brk(2). ret.Value is the program break after the call.
func (s *Space) broke(ret *Return, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	before, now := s.brk, ret.Value
	s.brk = now
	if before == 0 {
		return s.reread(s.heapRanges(now), o, dst)
	}
	old, end := vm.PageUp(before), vm.PageUp(now)
	switch {
	case end > old:
		e := ledger.Entry{Origin: o}
		e.Range = vm.Range{Start: old, End: end}
		e.Perms = ret.perms(vm.ProtRead | vm.ProtWrite)
		e.File.Path = "[heap]"
		return s.ledger.Add(e, dst)
	case end < old:
		return s.ledger.Remove(vm.Range{Start: end, End: old}, dst)
	}
	return dst
}

// heapRanges returns the ranges that a brk may have changed if the break before it is unknown: the heap, if it ends
// at the break now, and what the ledger has above that and the kernel has no more.
func (s *Space) heapRanges(now uint64) []vm.Range {
	ranges := s.goneFrom(vm.PageUp(now))
	row, ok := s.at(now - 1)
	for ok && !row.File.Backed() {
		ranges = append(ranges, row.Range)
		below, more := s.at(row.Start - 1) // another thread's madvise may have made several rows of it
		ok = more && below.SameKind(row)
		row = below
	}
	return ranges
}
