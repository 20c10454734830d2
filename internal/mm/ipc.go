package mm

import (
	"strings"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// ringDestroyed enters a successful io_destroy(2). It unmaps the range of the ring, whatever is mapped there by then (fs/aio.c, kill_ioctx). How long
// that range is follows only from what the kernel no longer shows.
func (s *Space) ringDestroyed(addr uint64, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	gone := s.goneFrom(addr)
	if first := s.from(addr, vm.Range{}); s.hides(vm.Range{Start: addr, End: max(first.End, gone[0].End) + vm.PageSize}) {
		s.blind, s.uncertain = true, true // late calls have put something there since, or have removed what the ring did not
		dst = s.ledger.Remove(first, dst)
	}
	return s.reread(gone, o, dst)
}

// goneFrom returns the range that a call may have unmapped if only its start is known: from there, what the ledger has up to the kernel's next row. Such
// calls are io_destroy(2), and brk(2), which unmaps the end of the heap.
func (s *Space) goneFrom(addr uint64) []vm.Range {
	at := vm.Range{Start: addr, End: addr}
	s.ledger.Overlapping(vm.Range{Start: addr, End: vm.AddressMax}, func(e ledger.Entry) bool {
		at.End = e.End
		rows, err := s.in(vm.Range{Start: addr, End: e.End})
		if err == nil && len(rows) > 0 { // which may be one that the ledger lacks yet: a stack that has grown
			at.End = max(addr, rows[0].Start)
		}
		return err == nil && len(rows) == 0
	})
	return []vm.Range{at}
}

// replacesAttached reports whether a shmat(2) first unmaps what is at its address, as a mapping at a fixed address does. If the call then fails, that is
// unmapped all the same (mm/vma.c, __mmap_region).
func replacesAttached(op *vm.Op) bool {
	return op.Kind == vm.OpShmAttach && op.Addr != 0 && op.Flags&vm.ShmRemap != 0
}

// lacking returns where that ends which the ledger has from addr on and the kernel has no more, addr where it has it.
func (s *Space) lacking(addr uint64) (end uint64) {
	end = addr
	s.ledger.Overlapping(vm.Range{Start: addr, End: vm.AddressMax}, func(e ledger.Entry) bool {
		rows, err := s.view.In(e.Range)
		if err != nil {
			return false
		}
		if len(rows) > 0 {
			if rows[0].Start > e.Start {
				end = rows[0].Start
			}
			return false
		}
		end = e.End
		return true
	})
	return end
}

// Attached lists what shmdt(addr) may remove: all pieces that lie where an attachment at addr would have put them
// (ipc/shm.c, ksys_shmdt).
func (s *Space) Attached(addr uint64) []vm.Range {
	var ranges []vm.Range
	s.ledger.Overlapping(vm.Range{Start: addr, End: vm.AddressMax}, func(e ledger.Entry) bool {
		if e.Perms&vm.Shared != 0 && strings.HasPrefix(e.File.Path, "/SYSV") && e.Offset == e.Start-addr {
			ranges = append(ranges, e.Range)
		}
		return true
	})
	return ranges
}

// detached enters a successful shmdt(2). It has unmapped those pieces that belong to the same segment as the lowest
// one which an attachment at addr can have made.
func (s *Space) detached(addr uint64, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	ranges := s.Attached(addr)
	var segment vm.File
	for _, r := range ranges {
		e, _ := s.ledger.At(r.Start)
		if segment == (vm.File{}) {
			segment = e.File
		}
		if e.File == segment && s.hides(r) {
			dst = s.ledger.Remove(r, dst)
		}
	}
	return s.reread(ranges, o, dst)
}

// remappedFile enters a successful remap_file_pages(2). Its effect follows from its arguments.
func (s *Space) remappedFile(op *vm.Op, o ledger.Origin, dst []ledger.Change) []ledger.Change {
	e, ok := s.ledger.At(op.Range.Start)
	if !ok {
		return dst
	}
	e.Range, e.Offset, e.Origin = op.Range, op.Offset, o
	return s.ledger.Add(e, dst)
}
