package ledger

import "github.com/vmblame/vmblame/internal/vm"

// find returns the entry that holds addr, nil where nothing is mapped.
func (l *Ledger) find(addr uint64) *Entry {
	var found *Entry
	l.tree.Descend(slot{start: addr}, func(s slot) bool {
		if s.entry.Contains(addr) {
			found = s.entry
		}
		return false
	})
	return found
}

// scan calls yield for the entries that overlap r, ascending and whole, until it returns false.
func (l *Ledger) scan(r vm.Range, yield func(*Entry) bool) {
	if r.Empty() {
		return
	}
	from := r.Start
	if e := l.find(from); e != nil {
		from = e.Start
	}
	l.tree.Ascend(slot{start: from}, func(s slot) bool {
		return s.start < r.End && yield(s.entry)
	})
}

// At returns the entry that holds addr; false where nothing is mapped.
func (l *Ledger) At(addr uint64) (Entry, bool) {
	if e := l.find(addr); e != nil {
		return *e, true
	}
	return Entry{}, false
}

// Before returns the last entry that begins before addr; false where there is none.
func (l *Ledger) Before(addr uint64) (e Entry, ok bool) {
	if addr > 0 {
		l.tree.Descend(slot{start: addr - 1}, func(s slot) bool {
			e, ok = *s.entry, true
			return false
		})
	}
	return e, ok
}

// From returns the first entry that begins at addr or behind it; false where there is none.
func (l *Ledger) From(addr uint64) (e Entry, ok bool) {
	l.tree.Ascend(slot{start: addr}, func(s slot) bool {
		e, ok = *s.entry, true
		return false
	})
	return e, ok
}

// Covered reports whether every page of r is mapped. An empty r is covered.
func (l *Ledger) Covered(r vm.Range) bool {
	if r.Empty() {
		return true
	}
	pos := r.Start
	l.scan(r, func(e *Entry) bool {
		if e.Start > pos {
			return false
		}
		pos = e.End
		return true
	})
	return pos >= r.End
}

// Free reports whether no page of r is mapped. An empty r is free.
func (l *Ledger) Free(r vm.Range) bool {
	free := true
	if !r.Empty() {
		l.tree.Descend(slot{start: r.End - 1}, func(s slot) bool {
			free = s.entry.End <= r.Start
			return false
		})
	}
	return free
}

// Overlapping calls yield for the entries that overlap r, cut to r, ascending, until it returns false.
// yield may read l but not change it.
func (l *Ledger) Overlapping(r vm.Range, yield func(Entry) bool) {
	l.scan(r, func(e *Entry) bool {
		if r.Covers(e.Range) {
			return yield(*e)
		}
		return yield(e.Cut(r))
	})
}

// Entries is All without copies: yield must not write to what it is given.
func (l *Ledger) Entries(yield func(*Entry) bool) {
	l.tree.Scan(func(s slot) bool { return yield(s.entry) })
}

// List is a copy of all entries, ascending.
func (l *Ledger) List() []Entry {
	list := make([]Entry, 0, l.Len())
	l.tree.Scan(func(s slot) bool {
		list = append(list, *s.entry)
		return true
	})
	return list
}

// All calls yield for every entry, ascending, until it returns false; it is an iterator. yield may read l
// but not change it.
func (l *Ledger) All(yield func(Entry) bool) {
	l.tree.Scan(func(s slot) bool { return yield(*s.entry) })
}
