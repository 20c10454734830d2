package report

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/text"
)

// A row of the table of owners: everything that one chain of calls made of one kind.
type row struct {
	reserved, committed, resident int64 // bytes
	kind                          string
	paths                         []string // of files, each once
	mappings                      int
	who                           callers.Chain
}

// An ownerTable is the largest owners of an address space, the largest first.
type ownerTable struct {
	rows     []row
	resident bool // figures are known
	more     row  // the sum of what has no row of its own; mappings is the number of those
}

// table makes the table of sp. It needs the symbols, so it is made at the end.
func (s *Summary) table(sp *space) *ownerTable {
	type group struct{ kind, who string }
	byGroup := map[group]*row{}
	chains := map[int]callers.Chain{}
	for k, h := range sp.owners.by {
		if h.reserved <= 0 {
			continue
		}
		c := s.whoMade(k, h.origin, sp.exe, chains)
		kind := kindOf(k.path)
		g := group{kind, c.Text(0)}
		r := byGroup[g]
		if r == nil {
			r = &row{kind: kind, who: c}
			byGroup[g] = r
		}
		r.reserved += h.reserved
		r.committed += h.committed
		r.resident += sp.resident[k]
		r.mappings++
		if kind == file && !slices.Contains(r.paths, k.path) {
			r.paths = append(r.paths, k.path)
		}
	}
	t := &ownerTable{resident: sp.resident != nil}
	for _, r := range byGroup {
		slices.Sort(r.paths)
		t.rows = append(t.rows, *r)
	}
	slices.SortFunc(t.rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.reserved, a.reserved), cmp.Compare(a.what(0), b.what(0)), cmp.Compare(a.who.Text(0), b.who.Text(0)))
	})
	if len(t.rows) > rows+1 {
		for _, r := range t.rows[rows:] {
			t.more.reserved += r.reserved
			t.more.committed += r.committed
			t.more.resident += r.resident
			t.more.mappings++
		}
		t.rows = t.rows[:rows]
	}
	return t
}

// whoMade is the chain of an owner.
func (s *Summary) whoMade(k owner, o origin, exe string, cache map[int]callers.Chain) callers.Chain {
	switch {
	case k.origin == 0 && k.cause == "kernel":
		return callers.Words("the kernel, at exec")
	case k.origin == 0 && k.cause == "stack growth":
		return callers.Words("the kernel: stack growth")
	case k.origin == 0 && k.cause == "drift":
		return callers.Words("no traced call (drift)")
	case k.origin == 0 && k.cause != "":
		return callers.Words(k.cause)
	case o.stack != 0:
		c, ok := cache[o.stack]
		if !ok {
			c = s.names.chain(o.stack, exe)
			cache[o.stack] = c
		}
		return c
	case o.call != "":
		return callers.Words(o.call + " (no stack)")
	}
	return callers.Words("?")
}

// The kinds of mappings that are no name of the kernel's.
const (
	file      = "file"
	anonymous = "anonymous"
)

// kindOf sorts a path: file, anonymous, or the kernel's own name, those of the vdso as one.
func kindOf(p string) string {
	switch {
	case p == "":
		return anonymous
	case strings.HasPrefix(p, "[vdso") || strings.HasPrefix(p, "[vvar"):
		return "[vdso]"
	case strings.HasPrefix(p, "["):
		return p
	}
	return file
}

// what names the row's mappings in at most width columns, 0 for no limit.
func (r *row) what(width int) string {
	if r.kind != file {
		if r.kind != anonymous || r.mappings == 1 {
			return text.Clip(r.kind, width)
		}
		return text.Clip(fmt.Sprintf("%s (%d mappings)", r.kind, r.mappings), width)
	}
	if len(r.paths) == 1 {
		p := r.paths[0]
		if width > 0 && len(p) > width {
			p = ".../" + path.Base(p)
		}
		return text.Clip(p, width)
	}
	line := fmt.Sprintf("%d files: ", len(r.paths))
	for i, p := range r.paths {
		next := path.Base(p)
		if i > 0 {
			next = ", " + next
		}
		if width > 0 && i > 0 && len(line)+len(next) > width-len(", ...") && i < len(r.paths)-1 {
			return text.Clip(line+", ...", width)
		}
		line += next
	}
	return text.Clip(line, width)
}
