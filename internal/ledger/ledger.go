package ledger

import (
	"slices"

	"github.com/tidwall/btree"

	"github.com/vmblame/vmblame/internal/vm"
)

// Ledger records which origin owns which addresses of one address space now: entries in ascending order that do not
// overlap, mergeable neighbours merged. An operation costs O(log n) plus the entries it touches.
//
// A Ledger is not safe for concurrent use. A clone is another ledger: it may be read and changed in one
// goroutine while the original is read and changed in another. The nodes of the tree that both share are
// never written to while they are shared (whoever changes one first copies it), and entries are never
// written to at all.
type Ledger struct {
	tree  *btree.BTreeG[slot]
	bytes uint64

	// Scratch space of the running operation, kept for reuse. Not valid between operations.
	old, fresh, extra []*Entry
	removed           []Change
}

// slot is an item of the tree. The key stands beside the pointer so that a search touches no entry.
type slot struct {
	start uint64
	entry *Entry
}

// New returns a ledger in which nothing is mapped.
func New() *Ledger {
	less := func(a, b slot) bool { return a.start < b.start }
	return &Ledger{tree: btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})}
}

// Clone returns a ledger of its own with the same entries, in O(1). Later changes of l and of the clone do not affect
// each other. For concurrency Clone counts as a change of l.
func (l *Ledger) Clone() *Ledger { return &Ledger{tree: l.tree.Copy(), bytes: l.bytes} }

// Bytes is how many bytes are mapped, in O(1).
func (l *Ledger) Bytes() uint64 { return l.bytes }

// Len is the number of entries.
func (l *Ledger) Len() int { return l.tree.Len() }

// Load replaces whatever l holds by the mappings ms, each with the origin that o gives it: the beginning
// of an address space. A mapping that overlaps an earlier one replaces it there; an empty one is ignored.
func (l *Ledger) Load(ms []vm.Mapping, o func(vm.Mapping) Origin) {
	l.tree.Clear()
	l.bytes = 0
	for _, m := range ms {
		l.put(Entry{Mapping: m, Origin: o(m)})
	}
}

// put maps e over its range, whatever was mapped there. An empty e does nothing.
func (l *Ledger) put(e Entry) {
	if e.Empty() {
		return
	}
	old := l.touching(e.Range)
	l.fresh = appendAround(l.fresh[:0], old, settle(e))
	l.splice(old, l.fresh)
}

// settle returns a copy of e for the tree to keep. An entry that is not Backed has offset 0 (fs/proc/task_mmu.c).
func settle(e Entry) *Entry {
	if e.Offset != 0 && !e.File.Backed() {
		e.Offset = 0
	}
	return &e
}

// appendAround appends to dst the parts of old outside n, with n inserted in order.
func appendAround(dst, old []*Entry, n *Entry) []*Entry {
	placed := false
	for _, e := range old {
		if e.Start < n.Start {
			dst = append(dst, e.cut(vm.Range{Start: e.Start, End: min(e.End, n.Start)}))
		}
		if e.End > n.End {
			if !placed {
				dst = append(dst, n)
				placed = true
			}
			dst = append(dst, e.cut(vm.Range{Start: max(e.Start, n.End), End: e.End}))
		}
	}
	if !placed {
		dst = append(dst, n)
	}
	return dst
}

// touching returns the entries that overlap or adjoin r, ascending. They are valid until the next operation. r must
// not be empty.
func (l *Ledger) touching(r vm.Range) []*Entry {
	old := l.old[:0]
	l.tree.Descend(slot{start: r.End}, func(s slot) bool {
		if s.entry.End < r.Start {
			return false
		}
		old = append(old, s.entry)
		return true
	})
	slices.Reverse(old)
	l.old = old
	return old
}

// splice replaces old by fresh, ascending, and joins neighbours. old must be what touching returned, so that every
// entry that adjoins fresh is in it.
func (l *Ledger) splice(old, fresh []*Entry) {
	fresh = join(fresh)
	i := 0
	for _, n := range fresh {
		for i < len(old) && old[i].Start < n.Start {
			l.delete(old[i])
			i++
		}
		if i < len(old) && old[i].Start == n.Start {
			if old[i] != n {
				l.tree.Set(slot{n.Start, n})
				l.bytes += n.Len() - old[i].Len()
			}
			i++
			continue
		}
		l.tree.Set(slot{n.Start, n})
		l.bytes += n.Len()
	}
	for _, o := range old[i:] {
		l.delete(o)
	}
}

func (l *Ledger) delete(e *Entry) {
	l.tree.Delete(slot{start: e.Start})
	l.bytes -= e.Len()
}

// join merges the neighbours in list that join, in place.
func join(list []*Entry) []*Entry {
	out := list[:0]
	ours := false // the last of out was made here and may still be written to
	for _, e := range list {
		n := len(out) - 1
		if n < 0 || !out[n].joins(e) {
			out = append(out, e)
			ours = false
			continue
		}
		if !ours {
			c := *out[n]
			out[n] = &c
			ours = true
		}
		out[n].End = e.End
	}
	return out
}
