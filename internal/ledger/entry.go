package ledger

import (
	"fmt"

	"github.com/vmblame/vmblame/internal/vm"
)

// Moved says where mremap(2) moved a piece from.
type Moved struct {
	Start  uint64 // former address of the piece's first byte
	Origin Origin // the origin the piece had there
}

// Entry is a piece of one mapping with one origin. Neighbours of equal attributes and origin may be one entry or
// several (a [Ledger] keeps them as one); pages of different origins never share an entry.
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

// Same reports whether o equals or continues e, addresses aside: permissions, file and origin agree, and so do file
// offset and moved-from address when both are projected to the same address.
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

// cut is Cut for the entries of a tree, which are shared and never written to: it returns e itself where r covers e.
func (e *Entry) cut(r vm.Range) *Entry {
	if r.Covers(e.Range) {
		return e
	}
	c := e.Cut(r)
	return &c
}

// after returns the entry that continues e over at: the same permissions and file, the offset advanced, origin o. at
// must start where e ends.
func (e *Entry) after(at vm.Range, o Origin) Entry {
	n := Entry{Mapping: vm.Mapping{Range: at, Perms: e.Perms, File: e.File}, Origin: o}
	if e.File.Backed() {
		n.Offset = e.Offset + e.Len()
	}
	return n
}

// joins reports whether o begins where e ends and is otherwise the same. Mappings from before the recording stay as
// the kernel showed them: two such neighbours that it kept apart are two VMAs (since Linux 6.7 thread stacks, because
// of VM_NOHUGEPAGE, which maps does not show).
func (e *Entry) joins(o *Entry) bool {
	return e.End == o.Start && e.Same(o) && e.Origin.Cause != BeforeAttach
}
