package ledger

import (
	"sort"

	"github.com/vmblame/vmblame/internal/vm"
)

// Reconcile makes l equal, in r, to what the kernel shows: kernel holds rows of /proc/PID/maps, ascending, and may
// reach beyond r, where l is left alone. It appends what it changed to dst: first removals and changes of permissions
// or name, ascending, then additions, ascending.
//
// It compares page by page, because the kernel merges rows that the ledger keeps apart and sometimes splits one that
// it does not. A page whose permissions or name (vm.File.Same) differ is changed and keeps its origin; the new path
// of a renamed or unlinked file is no difference. A page whose file, file offset or sharing differs was remapped: it
// is removed and added with the origin o, like every page that the ledger lacked.
func (l *Ledger) Reconcile(r vm.Range, kernel []vm.Mapping, o Origin, dst []Change) []Change {
	if r.Empty() {
		return dst
	}
	w := walk{r: r, origin: o, dst: dst, fresh: l.fresh[:0], added: l.extra[:0]}
	old := l.touching(r)
	w.run(old, kernel)
	l.fresh, l.extra = w.fresh, w.added
	if len(w.dst) == len(dst) && len(w.added) == 0 {
		return dst
	}
	dst = w.dst
	for _, n := range join(w.added) {
		dst = append(dst, Change{Range: n.Range, Now: n})
	}
	clear(w.added)
	l.splice(old, w.fresh)
	return dst
}

// verdict is what becomes of a run of pages of one entry.
type verdict uint8

const (
	kept verdict = iota
	altered
	removed
)

// walk is one run of Reconcile.
type walk struct {
	r      vm.Range
	origin Origin
	dst    []Change
	fresh  []*Entry // replaces the ledger's entries
	added  []*Entry // those of fresh that are new

	// The run of pages not yet in dst and fresh: the pages span of entry become now.
	entry   *Entry
	span    vm.Range
	verdict verdict
	now     vm.Mapping
}

// run goes through both lists at once, from one boundary of either to the next.
func (w *walk) run(old []*Entry, kernel []vm.Mapping) {
	pos, end := w.r.Start, w.r.End
	if len(old) > 0 {
		pos, end = min(pos, old[0].Start), max(end, old[len(old)-1].End)
	}
	kernel = kernel[sort.Search(len(kernel), func(i int) bool { return kernel[i].End > w.r.Start }):]
	for pos < end {
		next := end
		if pos < w.r.Start {
			next = w.r.Start
		} else if pos < w.r.End {
			next = w.r.End
		}
		for len(old) > 0 && old[0].End <= pos {
			old = old[1:]
		}
		var here *Entry
		if len(old) > 0 {
			if old[0].Start <= pos {
				here = old[0]
				next = min(next, here.End)
			} else {
				next = min(next, old[0].Start)
			}
		}
		var row *vm.Mapping
		inside := w.r.Contains(pos)
		if inside {
			for len(kernel) > 0 && kernel[0].End <= pos {
				kernel = kernel[1:]
			}
			if len(kernel) > 0 {
				if kernel[0].Start <= pos {
					row = &kernel[0]
					next = min(next, row.End)
				} else {
					next = min(next, kernel[0].Start)
				}
			}
		}
		w.step(vm.Range{Start: pos, End: next}, here, row, inside)
		pos = next
	}
	w.flush()
}

// step handles the pages of span, which are here in the ledger and row in the kernel; nil is not mapped.
func (w *walk) step(span vm.Range, here *Entry, row *vm.Mapping, inside bool) {
	switch {
	case here == nil && row == nil:
	case !inside, here != nil && row != nil && here.Agrees(*row):
		w.take(span, here, kept, vm.Mapping{})
	case row == nil:
		w.take(span, here, removed, vm.Mapping{})
	case here != nil && sameBacking(&here.Mapping, row):
		now := row.Slice(span)
		if here.File.Same(row.File) {
			now.File = here.File
		}
		w.take(span, here, altered, now)
	default:
		if here != nil {
			w.take(span, here, removed, vm.Mapping{})
		}
		if w.verdict != removed {
			w.flush() // fresh is ascending; a removal leaves nothing in it and may go on
		}
		n := settle(Entry{Mapping: row.Slice(span), Origin: w.origin})
		w.fresh = append(w.fresh, n)
		w.added = append(w.added, n)
	}
}

// sameBacking reports whether two mappings of the same addresses have the same pages, whatever their permissions and
// names, so that one can become the other without being remapped.
func sameBacking(a, b *vm.Mapping) bool {
	backed := a.File.Backed()
	return backed == b.File.Backed() && a.File.Dev == b.File.Dev && a.File.Inode == b.File.Inode &&
		(a.Perms^b.Perms)&vm.Shared == 0 && (!backed || a.Offset-a.Start == b.Offset-b.Start)
}

// take adds the pages of span to the run, or begins another run with them.
func (w *walk) take(span vm.Range, e *Entry, v verdict, now vm.Mapping) {
	if w.entry == e && w.verdict == v && w.span.End == span.Start && (v != altered || w.now.SameKind(now)) {
		w.span.End = span.End
		return
	}
	w.flush()
	w.entry, w.span, w.verdict, w.now = e, span, v, now
}

// flush ends the run.
func (w *walk) flush() {
	e := w.entry
	if e == nil {
		return
	}
	w.entry = nil
	was := e.cut(w.span)
	switch w.verdict {
	case kept:
		w.fresh = append(w.fresh, was)
	case removed:
		w.dst = append(w.dst, Change{Range: w.span, Was: was})
	case altered:
		now := *was
		now.Perms, now.File = w.now.Perms, w.now.File
		w.dst = append(w.dst, Change{Range: w.span, Was: was, Now: &now})
		w.fresh = append(w.fresh, &now)
	}
}

// Differs reports whether l differs from the kernel's rows in anything but the boundaries between rows: kernel holds
// all rows of /proc/PID/maps, ascending, without [vsyscall]. It allocates nothing.
func (l *Ledger) Differs(kernel []vm.Mapping) bool {
	i, pos := 0, uint64(0) // the first page of kernel not yet compared is in row i, not before pos
	same := true
	l.tree.Scan(func(s slot) bool {
		e := s.entry
		for at := e.Start; at < e.End; {
			if i == len(kernel) || max(kernel[i].Start, pos) != at || !e.Agrees(kernel[i]) {
				same = false
				return false
			}
			pos = min(e.End, kernel[i].End)
			at = pos
			if pos == kernel[i].End {
				i++
			}
		}
		return true
	})
	return !same || i != len(kernel)
}
