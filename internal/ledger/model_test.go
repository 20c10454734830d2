package ledger

import (
	"fmt"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

// The model is the same ledger as an array of pages, too simple to be wrong.
const (
	modelBase  = 0x7f0000000000
	modelPages = 40
)

type modelPage struct {
	live        bool
	perms       vm.Perms
	file        vm.File
	offset      uint64
	origin      Origin
	moved       bool
	movedStart  uint64
	movedOrigin Origin
}

type model [modelPages]modelPage

func addrOf(page int) uint64 { return modelBase + uint64(page)*vm.PageSize }

func pagesOf(from, to int) vm.Range { return vm.Range{Start: addrOf(from), End: addrOf(to)} }

// pageAt is page i as an entry that holds it says.
func pageAt(e *Entry, i int) modelPage {
	c := e.Cut(pagesOf(i, i+1))
	p := modelPage{live: true, perms: c.Perms, file: c.File, offset: c.Offset, origin: c.Origin}
	if c.Moved != nil {
		p.moved, p.movedStart, p.movedOrigin = true, c.Moved.Start, c.Moved.Origin
	}
	return p
}

func (m *model) add(e Entry) {
	for i := range m {
		if e.Covers(pagesOf(i, i+1)) {
			m[i] = pageAt(&e, i)
		}
	}
}

func (m *model) remove(from, to int) {
	for i := from; i < to; i++ {
		m[i] = modelPage{}
	}
}

func (m *model) protect(from, to int, p vm.Perms) {
	for i := from; i < to; i++ {
		if m[i].live {
			m[i].perms = p&^vm.Shared | m[i].perms&vm.Shared
		}
	}
}

func (m *model) setFile(from, to int, f vm.File) {
	for i := from; i < to; i++ {
		if m[i].live && m[i].file.Backed() == f.Backed() {
			m[i].file = f
		}
	}
}

// next is the page that continues p.
func (p modelPage) next(o Origin) modelPage {
	n := modelPage{live: true, perms: p.perms, file: p.file, origin: o}
	if p.file.Backed() {
		n.offset = p.offset + vm.PageSize
	}
	return n
}

func (m *model) extend(from, to int, o Origin) {
	for i := from; i < to; i++ {
		m[i] = m[i-1].next(o)
	}
}

// move needs ranges that do not overlap, as the kernel does.
func (m *model) move(from, to, target, length int, o Origin, keepOld bool) {
	src := append([]modelPage(nil), m[from:to]...)
	for i := range length {
		// A hole leaves what is there.
		if i < len(src) && src[i].live || i >= len(src) && src[len(src)-1].live {
			m[target+i] = modelPage{}
		}
	}
	if !keepOld {
		m.remove(from, to)
	}
	for i := 0; i < length; i++ {
		switch {
		case i < len(src) && src[i].live:
			p := src[i]
			p.origin, p.moved, p.movedStart, p.movedOrigin = o, true, addrOf(from+i), src[i].origin
			m[target+i] = p
		case i >= len(src) && src[len(src)-1].live:
			m[target+i] = m[target+i-1].next(o)
		}
	}
}

func (m *model) reconcile(from, to int, kernel *model, o Origin) {
	for i := from; i < to; i++ {
		k, p := kernel[i], &m[i]
		switch {
		case !k.live:
			*p = modelPage{}
		case p.live && p.file.Dev == k.file.Dev && p.file.Inode == k.file.Inode && p.offset == k.offset &&
			p.file.Backed() == k.file.Backed() && p.perms&vm.Shared == k.perms&vm.Shared:
			p.perms = k.perms
			if !p.file.Same(k.file) {
				p.file = k.file
			}
		default:
			*p = modelPage{live: true, perms: k.perms, file: k.file, offset: k.offset, origin: o}
		}
	}
}

// rows makes rows of /proc/PID/maps of m, with a boundary at least every most pages.
func (m *model) rows(most int) []vm.Mapping {
	var rows []vm.Mapping
	for i, p := range m {
		if !p.live {
			continue
		}
		row := vm.Mapping{Range: pagesOf(i, i+1), Perms: p.perms, Offset: p.offset, File: p.file}
		if n := len(rows) - 1; n >= 0 && rows[n].End == row.Start && rows[n].SameKind(row) && rows[n].Len() < uint64(most)*vm.PageSize {
			rows[n].End = row.End
			continue
		}
		rows = append(rows, row)
	}
	return rows
}

// apply repeats a change page by page and says what about it is wrong.
func (m *model) apply(c Change) error {
	if c.Empty() || (c.Start|c.End)%vm.PageSize != 0 || c.Start < modelBase || c.End > addrOf(modelPages) {
		return fmt.Errorf("%v: not a range of pages of the model", c.Range)
	}
	if c.Was == nil && c.Now == nil || c.Was != nil && c.Was.Range != c.Range || c.Now != nil && c.Now.Range != c.Range {
		return fmt.Errorf("%v: was %v, now %v", c.Range, c.Was, c.Now)
	}
	for i := range m {
		if !c.Contains(addrOf(i)) {
			continue
		}
		var was, now modelPage
		if c.Was != nil {
			was = pageAt(c.Was, i)
		}
		if c.Now != nil {
			now = pageAt(c.Now, i)
		}
		if m[i] != was {
			return fmt.Errorf("%v: page %d was %+v, the change says %+v", c.Range, i, m[i], was)
		}
		if now == was {
			return fmt.Errorf("%v: page %d does not change", c.Range, i)
		}
		m[i] = now
	}
	return nil
}

// check compares a ledger with the model and holds it against what must always be true of it.
func (m *model) check(t *testing.T, l *Ledger) {
	t.Helper()
	var got model
	var bytes uint64
	var last *Entry
	n := 0
	for e := range l.All {
		if e.Empty() || (e.Start|e.End)%vm.PageSize != 0 {
			t.Fatalf("entry %v: not a range of pages", e)
		}
		if last != nil && (last.End > e.Start || last.joins(&e)) {
			t.Fatalf("entries overlap or could be one:\n%v\n%v", last, e)
		}
		got.add(e)
		bytes += e.Len()
		n++
		last = &e
	}
	if l.Bytes() != bytes || l.Len() != n {
		t.Fatalf("Bytes, Len = %d, %d, want %d, %d", l.Bytes(), l.Len(), bytes, n)
	}
	for i := range m {
		if got[i] != m[i] {
			t.Fatalf("page %d:\nledger %+v\nmodel  %+v", i, got[i], m[i])
		}
	}
}

// checkQueries compares the answers of a ledger about [from, to) with the model's.
func (m *model) checkQueries(t *testing.T, l *Ledger, from, to int) {
	t.Helper()
	live := 0
	for i := from; i < to; i++ {
		if m[i].live {
			live++
		}
		e, ok := l.At(addrOf(i) + 17)
		if ok != m[i].live || ok && pageAt(&e, i) != m[i] {
			t.Fatalf("At page %d = %v, %v; want %+v", i, e, ok, m[i])
		}
	}
	r := pagesOf(from, to)
	if got := l.Covered(r); got != (live == to-from) {
		t.Fatalf("Covered(%v) = %v", r, got)
	}
	if got := l.Free(r); got != (live == 0) {
		t.Fatalf("Free(%v) = %v", r, got)
	}
	var part, want model
	l.Overlapping(r, func(e Entry) bool {
		if !r.Covers(e.Range) {
			t.Fatalf("Overlapping(%v) gives %v", r, e)
		}
		part.add(e)
		return true
	})
	copy(want[from:to], m[from:to])
	if part != want {
		t.Fatalf("Overlapping(%v) gives another part:\n%+v\n%+v", r, part, want)
	}
	kernel := m.rows(to - from + 1)
	if l.Differs(kernel) {
		t.Fatalf("Differs from its own rows")
	}
	if from == to {
		return
	}
	other := *m
	if other[from].live {
		other[from].perms ^= vm.Write
	} else {
		other[from] = modelPage{live: true, perms: vm.Read}
	}
	if !l.Differs(other.rows(modelPages)) {
		t.Fatalf("page %d changed, Differs does not see it", from)
	}
	if other[from] = (modelPage{}); m[from].live && !l.Differs(other.rows(modelPages)) {
		t.Fatalf("page %d gone, Differs does not see it", from)
	}
}
