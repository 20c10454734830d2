package inspect

import (
	"encoding/binary"
	"iter"
	"slices"
	"sort"
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// row returns the row that contains addr, nil for none.
func (p *Process) row(addr uint64) *vm.SmapsEntry {
	i, found := slices.BinarySearchFunc(p.Rows, addr, func(e vm.SmapsEntry, a uint64) int {
		switch {
		case e.End <= a:
			return -1
		case e.Start > a:
			return 1
		}
		return 0
	})
	if !found {
		return nil
	}
	return &p.Rows[i]
}

// firstRow returns the row that contains addr or else the next one, nil for none.
func (p *Process) firstRow(addr uint64) *vm.SmapsEntry {
	i := sort.Search(len(p.Rows), func(i int) bool { return p.Rows[i].End > addr })
	if i == len(p.Rows) {
		return nil
	}
	return &p.Rows[i]
}

// multiples yields the multiples of step in the row whose pages are unclaimed and resident.
func (l *look) multiples(e *vm.SmapsEntry, step uint64) func(yield func(uint64) bool) {
	return func(yield func(uint64) bool) {
		if first := (e.Start + step - 1) &^ (step - 1); first >= e.End || first < e.Start || e.Len() > l.left.searched {
			return
		}
		l.left.searched -= e.Len()
		for _, free := range l.claims.free(e.Range) {
			for res := range l.Memory.Resident(free) {
				for at := (res.Start + step - 1) &^ (step - 1); at >= step && at < res.End; at += step {
					if l.spent() || !yield(at) {
						return
					}
				}
			}
		}
	}
}

// scan yields the words of r other than 0, as far as they are in memory, with their places.
func (l *look) scan(r vm.Range) iter.Seq2[uint64, uint64] {
	return func(yield func(addr, word uint64) bool) {
		for res := range l.Memory.Resident(r) {
			for at := res.Start; at < res.End; at += vm.PageSize {
				p := l.page(at)
				if l.spent() {
					return
				}
				for off := 0; p != nil && off < vm.PageSize; off += 8 {
					if w := binary.LittleEndian.Uint64(p[off:]); w != 0 && !yield(at+uint64(off), w) {
						return
					}
				}
			}
		}
	}
}

// within yields the rows in r, each with its part of r, up to the first byte that is not mapped.
func (l *look) within(r vm.Range) func(yield func(*vm.SmapsEntry, vm.Range) bool) {
	return func(yield func(*vm.SmapsEntry, vm.Range) bool) {
		i := sort.Search(len(l.Rows), func(i int) bool { return l.Rows[i].End > r.Start })
		for at := r.Start; at < r.End && i < len(l.Rows); i++ {
			e := &l.Rows[i]
			if l.left.visits--; e.Start > at || l.left.visits < 0 || !yield(e, e.Intersect(vm.Range{Start: at, End: r.End})) {
				return
			}
			at = e.End
		}
	}
}

// covered reports whether every byte of r is mapped by rows for which ok holds.
func (l *look) covered(r vm.Range, ok func(*vm.SmapsEntry) bool) bool {
	at := r.Start
	for e, x := range l.within(r) {
		if !ok(e) {
			return false
		}
		at = x.End
	}
	return r.Start < r.End && at == r.End
}

// beginsRow reports whether a row begins at addr.
func (p *Process) beginsRow(addr uint64) bool {
	e := p.row(addr)
	return e != nil && e.Start == addr
}

// reserved reports whether a gapless stretch of private anonymous memory of that size begins with a row, at a multiple
// of step.
func (l *look) reserved(step, size uint64) bool {
	for i := range l.Rows {
		e := &l.Rows[i]
		if e.Start%step == 0 && anonymous(e) && e.Start != 0 && l.covered(vm.Range{Start: e.Start, End: e.Start + size}, anonymous) {
			return true
		}
	}
	return false
}

// rowsOf reports whether r is private anonymous memory that begins and ends at the bounds of rows.
func (l *look) rowsOf(r vm.Range) bool {
	if r.Empty() || r.End > vm.AddressMax || !l.beginsRow(r.Start) {
		return false
	}
	last := l.row(r.End - 1)
	return last != nil && last.End == r.End && l.covered(r, anonymous)
}

// partsOf splits r where rows of the kernel's map begin. It returns nil if part of r is not mapped.
func (l *look) partsOf(r vm.Range) (parts []classify.Part) {
	at := r.Start
	for _, x := range l.within(r) {
		parts = append(parts, classify.Part{Range: x})
		at = x.End
	}
	if at != r.End {
		return nil
	}
	return parts
}

// anonymous reports whether a row is private memory of no file.
func anonymous(e *vm.SmapsEntry) bool { return e.Perms&vm.Shared == 0 && !e.File.Backed() }

// private reports whether a row is memory that a program could have mapped for its data: anonymous, writable.
func private(e *vm.SmapsEntry) bool { return anonymous(e) && e.Perms&vm.Write != 0 }

// flagged reports whether a row has a flag of smaps ("nr", "dc"); false if the kernel does not show flags.
func flagged(e *vm.SmapsEntry, flag string) bool {
	for f := range strings.FieldsSeq(e.VmFlags) {
		if f == flag {
			return true
		}
	}
	return false
}

// aligned reports whether v is a multiple of a page.
func aligned(v uint64) bool { return v%vm.PageSize == 0 }

// pages returns the pages that [addr, addr+n) lies in; it is empty where that wraps.
func pages(addr, n uint64) vm.Range {
	return vm.RangeOf(vm.PageDown(addr), n+addr%vm.PageSize)
}
