package ledger

import (
	"fmt"

	"github.com/vmblame/vmblame/internal/vm"
)

// Moved says from where mremap(2) brought a piece.
type Moved struct {
	Start  uint64 // address at which the first byte of the piece stood before
	Origin Origin // the origin the piece had there
}

// Entry is a piece of one mapping with one origin. Neighbours of equal attributes and origin may stand
// as one entry or as several; entries of different origins are never one. (A [Ledger] keeps them as one.)
type Entry struct {
	vm.Mapping
	Origin Origin
	// Moved is nil unless Origin is an mremap that brought the pages from elsewhere. It is shared between
	// copies and never written to; a split makes a new one.
	Moved *Moved
}

// Cut returns the part of e that lies in r, its file offset and the address it was moved from advanced
// accordingly. r must overlap e.
func (e Entry) Cut(r vm.Range) Entry {
	m := e.Slice(r)
	if skip := m.Start - e.Start; skip != 0 && e.Moved != nil {
		e.Moved = &Moved{e.Moved.Start + skip, e.Moved.Origin}
	}
	e.Mapping = m
	return e
}

// Same reports whether o equals or continues e but for addresses: permissions, file and origin agree, and
// so do file offset and address moved from where both are projected to the same address.
func (e *Entry) Same(o *Entry) bool {
	if e.Origin != o.Origin || !e.SameKind(o.Mapping) {
		return false
	}
	if e.Moved == nil || o.Moved == nil {
		return e.Moved == o.Moved
	}
	return e.Moved.Origin == o.Moved.Origin && e.Moved.Start-e.Start == o.Moved.Start-o.Start
}

// String describes e for messages: its row of /proc/PID/maps, its origin, and where it was moved from.
func (e Entry) String() string {
	s := fmt.Sprintf("%v, %v", e.Mapping, e.Origin)
	if e.Moved != nil {
		s += fmt.Sprintf(", moved from %x, %v", e.Moved.Start, e.Moved.Origin)
	}
	return s
}

// cut is Cut for the entries of a tree, which are shared and never written to: the whole of e is e itself.
func (e *Entry) cut(r vm.Range) *Entry {
	if r.Covers(e.Range) {
		return e
	}
	c := e.Cut(r)
	return &c
}

// after returns what stands in at when it continues e: the same permissions and file, the offset
// advanced, brought there by o. at must start where e ends.
func (e *Entry) after(at vm.Range, o Origin) Entry {
	n := Entry{Mapping: vm.Mapping{Range: at, Perms: e.Perms, File: e.File}, Origin: o}
	if e.File.Backed() {
		n.Offset = e.Offset + e.Len()
	}
	return n
}

// joins reports whether o begins where e ends and is the same but for that. What was there before the recording began
// stays as the kernel showed it: that it kept two such neighbours apart tells that they are two mappings (since
// Linux 6.7 the stacks of threads by VM_NOHUGEPAGE, which maps does not show).
func (e *Entry) joins(o *Entry) bool {
	return e.End == o.Start && e.Same(o) && e.Origin.Cause != BeforeAttach
}
