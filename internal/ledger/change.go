package ledger

import (
	"github.com/vmblame/vmblame/internal/vm"
)

// Change is one step of what an operation did: in Range, Was became Now. nil means not mapped.
// Was and Now cover exactly Range when they are not nil. The caller must not write through them: a ledger
// and its clones may hold the same entries.
type Change struct {
	vm.Range
	Was, Now *Entry
}

// Remove unmaps r, as munmap(2) does, and appends what it changed to dst: one change for each former
// mapping, none for holes. r is made of whole pages, here and in the methods below.
func (l *Ledger) Remove(r vm.Range, dst []Change) []Change {
	if r.Empty() {
		return dst
	}
	old := l.touching(r)
	fresh, before := l.fresh[:0], len(dst)
	for _, e := range old {
		if !e.Overlaps(r) {
			fresh = append(fresh, e)
			continue
		}
		if e.Start < r.Start {
			fresh = append(fresh, e.cut(vm.Range{Start: e.Start, End: r.Start}))
		}
		was := e.cut(r)
		dst = append(dst, Change{Range: was.Range, Was: was})
		if e.End > r.End {
			fresh = append(fresh, e.cut(vm.Range{Start: r.End, End: e.End}))
		}
	}
	l.fresh = fresh
	if len(dst) > before {
		l.splice(old, fresh)
	}
	return dst
}

// Add maps e, as mmap(2) does, and appends what it changed to dst: the removal of whatever stood in its
// range, piece by piece, and then e over its whole range.
func (l *Ledger) Add(e Entry, dst []Change) []Change {
	if e.Empty() {
		return dst
	}
	old := l.touching(e.Range)
	for _, o := range old {
		if o.Overlaps(e.Range) {
			was := o.cut(e.Range)
			dst = append(dst, Change{Range: was.Range, Was: was})
		}
	}
	now := settle(e)
	l.fresh = appendAround(l.fresh[:0], old, now)
	l.splice(old, l.fresh)
	return append(dst, Change{Range: e.Range, Now: now})
}

// Protect gives the mapped pages of r the permissions p, as mprotect(2) does, and appends what it changed to dst.
// Origins and the shared/private bit stay; holes, and pieces that already have these permissions, yield no change.
func (l *Ledger) Protect(r vm.Range, p vm.Perms, dst []Change) []Change {
	return l.edit(r, dst, func(m vm.Mapping) vm.Mapping {
		m.Perms = p&^vm.Shared | m.Perms&vm.Shared
		return m
	})
}

// SetFile replaces the file of the mapped pages of r, for operations that rename a mapping without remapping it
// (prctl(2) PR_SET_VMA, an unlink that makes a path end in " (deleted)"), and appends what it changed to dst. Origins
// stay. A Backed f applies only to pieces that are Backed, any other f only to pieces that are not: the rest of r is
// left alone.
func (l *Ledger) SetFile(r vm.Range, f vm.File, dst []Change) []Change {
	return l.edit(r, dst, func(m vm.Mapping) vm.Mapping {
		if m.File.Backed() == f.Backed() {
			m.File = f
		}
		return m
	})
}

// edit applies f to the mapped pages of r, keeping range and origin, and appends what it changed to dst.
func (l *Ledger) edit(r vm.Range, dst []Change, f func(vm.Mapping) vm.Mapping) []Change {
	if r.Empty() {
		return dst
	}
	old := l.touching(r)
	fresh, before := l.fresh[:0], len(dst)
	for _, e := range old {
		if !e.Overlaps(r) || f(e.Mapping) == e.Mapping {
			fresh = append(fresh, e)
			continue
		}
		if e.Start < r.Start {
			fresh = append(fresh, e.cut(vm.Range{Start: e.Start, End: r.Start}))
		}
		was := e.cut(r)
		now := *was
		now.Mapping = f(was.Mapping)
		dst = append(dst, Change{Range: was.Range, Was: was, Now: &now})
		fresh = append(fresh, &now)
		if e.End > r.End {
			fresh = append(fresh, e.cut(vm.Range{Start: r.End, End: e.End}))
		}
	}
	l.fresh = fresh
	if len(dst) > before {
		l.splice(old, fresh)
	}
	return dst
}
