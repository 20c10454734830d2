package mm

import (
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// remapped enters a successful mremap, which may grow, shrink, move, duplicate or empty a mapping.
func (s *Space) remapped(op *vm.Op, to uint64, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	from := op.Range
	size := vm.PageUp(op.NewLen)
	if row, ok := s.at(to); ok {
		page := s.view.PageSize(row) - 1
		from.End = from.Start + (from.Len()+page)&^page
		size = (size + page) &^ page
	}
	if !s.ledger.Covered(from) {
		s.fillGrown(from)
	}
	touched := []vm.Range{from, {Start: to, End: to + size}}
	switch {
	case op.Len == 0:
		if e, ok := s.ledger.At(op.Addr); ok {
			source := vm.Range{Start: op.Addr, End: min(e.End, op.Addr+size)}
			dst = s.ledger.Move(source, to, size, o, true, dst)
		}
	case to != from.Start:
		dst = s.ledger.Move(from, to, size, o, op.Flags&vm.RemapDontUnmap != 0, dst)
	case size < from.Len():
		dst = s.ledger.Remove(vm.Range{Start: from.Start + size, End: from.End}, dst)
	case size > from.Len():
		dst = s.ledger.Extend(vm.Range{Start: from.End, End: to + size}, o, dst)
	}
	// Kernel versions differ in what one mremap moves, so the kernel's view decides.
	return s.reread(touched, o, dst)
}
