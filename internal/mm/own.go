package mm

import (
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/vm"
)

// Own returns the mapping that a successful call has made, if the kernel's view is needed to know it. It must be
// called soon after the return: other calls may have changed part of the mapping already, but one remaining page that
// fits identifies all of it. own is empty if it is not needed or if no such page is left; in the second case gone is
// the range. descriptor returns the regular file of mmap's descriptor.
func (s *Space) Own(op *vm.Op, ret *Return, descriptor func() (vm.File, bool)) (own vm.Mapping, gone vm.Range) {
	if !s.Asks(op, *ret) {
		return own, gone
	}
	switch op.Kind {
	case vm.OpMap:
		return s.ownMap(op, ret, descriptor)
	case vm.OpShmAttach, vm.OpAioSetup:
		return s.ownSegment(op, ret)
	}
	return own, gone
}

func (s *Space) ownMap(op *vm.Op, ret *Return, descriptor func() (vm.File, bool)) (own vm.Mapping, gone vm.Range) {
	at := vm.RangeOf(ret.Value, op.Len)
	own = vm.Mapping{Range: at, Perms: ret.perms(op.Prot)}
	shared := op.Flags&vm.MapTypeMask != vm.MapPrivate
	if shared {
		own.Perms |= vm.Shared
	}
	anonymous := op.Flags&vm.MapAnonymous != 0
	if anonymous && !shared && op.Flags&vm.MapHugeTLB == 0 {
		return own, gone
	}
	rows, err := s.view.In(at)
	if err != nil {
		return vm.Mapping{}, gone
	}
	file, known := vm.File{}, false
	if !anonymous {
		own.Offset = op.Offset
		file, known = descriptor()
	}
	for _, row := range rows {
		switch {
		case known && row.File.Path != file.Path, anonymous && !strings.HasPrefix(row.File.Path, "/dev/zero") && !strings.HasPrefix(row.File.Path, "/anon_hugepage"):
		case row.File.Backed() && row.Offset-row.Start == own.Offset-at.Start:
			own.File = row.File
			return own, gone
		case !known && !anonymous && row.Covers(at):
			return row.Slice(at), gone // a device may map anything
		}
	}
	if known {
		own.File = file
		return own, gone
	}
	return vm.Mapping{}, at
}

// ownSegment is Own for a call whose arguments do not give the size.
func (s *Space) ownSegment(op *vm.Op, ret *Return) (own vm.Mapping, gone vm.Range) {
	const foreign = 64 // pages searched for what other calls have left of it
	at := vm.Range{Start: ret.Value, End: ret.Value + foreign*vm.PageSize}
	rows, err := s.view.In(at)
	if err != nil {
		return own, gone
	}
	for _, row := range rows {
		its := row.File.Inode == uint64(op.FD)
		if op.Kind == vm.OpAioSetup { // only its first page tells a ring from what is left of another one
			its = row.Start == at.Start && strings.HasPrefix(row.File.Path, "/[aio]") || !own.Empty() && row.File == own.File
		}
		if its && row.File.Backed() && row.Offset == row.Start-at.Start {
			own = vm.Mapping{Range: vm.Range{Start: at.Start, End: row.End}, Perms: segmentPerms(op), File: row.File}
		}
	}
	if own.Empty() {
		gone = vm.Range{Start: at.Start, End: at.Start + vm.PageSize}
	}
	return own, gone
}

// cutOwn corrects Own where late calls may have been served before Own was read. A segment of unknown size cannot
// extend over pages that a late call found free. Shared anonymous memory may be what a late call has put in its place.
func (s *Space) cutOwn(op *vm.Op) {
	own := s.told.Own.Range
	switch {
	case own.Empty():
	case op.Kind == vm.OpShmAttach || op.Kind == vm.OpAioSetup:
		s.told.Own.Range = vm.Range{}
		late := s.late
		if i := slices.IndexFunc(late, func(l Late) bool { return l.givesUp(own.Start) }); i >= 0 {
			s.late = late[:i] // those behind it found free what it has removed
		}
		s.hide(own)
		for _, h := range s.hidden {
			if h.was == free && own.Contains(h.Start) {
				own.End = h.Start
			}
		}
		s.hide(vm.Range{Start: own.End, End: own.End + vm.PageSize})
		for _, h := range s.hidden {
			if h.was != free && h.Contains(own.End) { // perhaps a part of the segment that was gone before Own was read
				s.blind, s.uncertain = true, true
			}
		}
		if slices.ContainsFunc(late, func(l Late) bool {
			return l.puts(own) || op.Kind == vm.OpAioSetup && l.Op.Kind == vm.OpAioSetup && l.Ret.Errno == 0 && l.Ret.Value == own.Start
		}) {
			s.blind, s.uncertain = true, true // how long the segment was before is what the row does not show, or it is of another ring
		}
		s.told.Own.Range, s.late = own, late
	case op.Kind == vm.OpMap && op.Flags&vm.MapAnonymous != 0 && s.told.Own.File.Backed():
		if slices.ContainsFunc(s.late, func(l Late) bool { return l.resembles(own) }) {
			s.told.Own, s.told.Gone = vm.Mapping{}, own
		}
	}
}

// givesUp reports whether a late call has removed the segment, or the ring, that was attached at an address.
func (l *Late) givesUp(addr uint64) bool {
	return (l.Op.Kind == vm.OpShmDetach || l.Op.Kind == vm.OpAioDestroy) && l.Ret.Errno == 0 && l.Op.Addr == addr
}

// puts reports whether a late mremap(2) has put pages into a range, which may be more of the segment that stands there.
func (l *Late) puts(into vm.Range) bool {
	if l.Op.Kind != vm.OpRemap || l.Ret.Errno != 0 {
		return false
	}
	to := vm.RangeOf(l.Ret.Value, l.Op.NewLen)
	if l.Op.Len != 0 && to.Start == l.Op.Range.Start { // it has grown where it stood
		to.Start = min(l.Op.Range.End, to.End)
	}
	return !to.Empty() && to.Overlaps(into)
}

// resembles reports whether a late call may have put shared anonymous memory into a range that looks like a new mapping of
// that range: its pages have the offsets that those of the range have.
func (l *Late) resembles(own vm.Range) bool {
	switch {
	case l.Ret.Errno != 0:
		return false
	case l.Op.Kind == vm.OpMap && l.Op.Flags&vm.MapAnonymous != 0:
		return l.Ret.Value == own.Start // its first page has the offset 0
	case l.Op.Kind == vm.OpMap:
		return vm.RangeOf(l.Ret.Value, l.Op.Len).Overlaps(own) // /dev/zero, at any offset
	case l.Op.Kind == vm.OpRemap:
		return vm.RangeOf(l.Ret.Value, l.Op.NewLen).Overlaps(own)
	}
	return false
}

// segmentPerms are the permissions that shmat(2) gives, and io_setup(2).
func segmentPerms(op *vm.Op) vm.Perms {
	const readOnly, exec = 0o10000, 0o100000 // SHM_RDONLY, SHM_EXEC
	p := vm.Read | vm.Write | vm.Shared
	if op.Kind == vm.OpShmAttach && op.Flags&readOnly != 0 {
		p &^= vm.Write
	}
	if op.Kind == vm.OpShmAttach && op.Flags&exec != 0 {
		p |= vm.Exec
	}
	return p
}
