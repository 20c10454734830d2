package mm

import (
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// plain reports whether an mmap's result follows from its arguments alone.
func plain(op *vm.Op) bool {
	const odd = vm.MapHugeTLB | vm.MapGrowsDown | vm.MapTypeMask&^vm.MapPrivate
	return op.Flags&vm.MapAnonymous != 0 && op.Flags&odd == 0
}

// mapped enters a successful mmap.
func (s *Space) mapped(op *vm.Op, ret *Return, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	e := ledger.Entry{Origin: o}
	e.Range = vm.RangeOf(ret.Value, op.Len)
	e.Perms = ret.perms(op.Prot)
	if op.Flags&vm.MapTypeMask != vm.MapPrivate {
		e.Perms |= vm.Shared
	}
	if plain(op) {
		return s.ledger.Add(e, dst)
	}
	row, seen := s.at(ret.Value)
	size := s.pageSize(op)
	if seen {
		size = max(size, s.view.PageSize(row)) // a hugetlbfs file rounds the length even without MAP_HUGETLB
	}
	e.End = e.Start + (op.Len+size-1)&^(size-1)
	if op.Flags&vm.MapGrowsDown != 0 {
		s.growing = append(s.growing, growing{origin: o.Event, top: e.End - 1})
	}
	if seen {
		// The kernel may show one row for this and its neighbours; only what it says of this page counts.
		m := row.Slice(e.Range)
		e.Perms, e.Offset, e.File = m.Perms, m.Offset, m.File
	} else {
		s.blind, s.uncertain = true, true
	}
	return s.ledger.Add(e, dst)
}

// pageSize returns the size of the pages that an mmap asks for with its flags.
func (s *Space) pageSize(op *vm.Op) uint64 {
	if op.Flags&vm.MapHugeTLB == 0 {
		return vm.PageSize
	}
	if log := op.Flags >> vm.MapHugeShift & vm.MapHugeMask; log != 0 {
		return max(vm.PageSize, uint64(1)<<log)
	}
	return s.hugePage
}

// perms are the permissions that the kernel gives for a prot argument.
func (ret *Return) perms(prot uint64) vm.Perms {
	p := vm.ProtPerms(prot)
	if ret.ReadImpliesExec && p&vm.Read != 0 {
		p |= vm.Exec
	}
	return p
}

// RoundToPages rounds the range of a MAP_FIXED mmap up to the size of the pages it asks for.
func (s *Space) RoundToPages(op *vm.Op) {
	if op.Kind == vm.OpMap && op.Fixed {
		size := s.pageSize(op)
		op.Range.End = max(op.Range.End, op.Addr+(op.Len+size-1)&^(size-1))
	}
}

// protected enters a successful mprotect. All its pages were mapped then: those the ledger lacks are growth.
func (s *Space) protected(op *vm.Op, ret *Return, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	at := op.Range
	if !s.ledger.Covered(at) {
		s.fillGrown(at)
	}
	if op.Prot&(vm.ProtGrowsDown|vm.ProtGrowsUp) != 0 {
		if len(s.late) == 0 {
			s.noticeGrowth() // which reaches below at
		}
		if row, ok := s.at(op.Range.Start); ok {
			at.Start, at.End = min(at.Start, row.Start), max(at.End, row.End)
		}
		if s.hides(at) {
			s.blind, s.uncertain = true, true // where the mapping began is not known any more
			dst = s.ledger.Protect(at, ret.perms(op.Prot), dst)
		}
		return s.reread([]vm.Range{at}, o, dst)
	}
	if ret.ReadImpliesExec {
		if s.hides(at) {
			dst = s.ledger.Protect(at, ret.perms(op.Prot), dst)
		}
		return s.reread([]vm.Range{at}, o, dst)
	}
	return s.ledger.Protect(at, vm.ProtPerms(op.Prot), dst)
}
