package eventlog

import (
	"fmt"
	"strings"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// mostDifferences is how many differences between two ledgers are reported one by one.
const mostDifferences = 4

// compare calls yield for each stretch of pages in which a and b differ, ascending, with what either has
// there (nil for nothing), until it returns false. A file that was unlinked between the two is no
// difference.
func compare(a, b *ledger.Ledger, yield func(r vm.Range, x, y *ledger.Entry) bool) {
	xs, ys := entries(a), entries(b)
	for len(xs) > 0 || len(ys) > 0 {
		var r vm.Range
		var x, y *ledger.Entry
		switch {
		case len(ys) == 0 || len(xs) > 0 && xs[0].Start < ys[0].Start:
			r, x = xs[0].Range, &xs[0]
			if len(ys) > 0 {
				r.End = min(r.End, ys[0].Start)
			}
		case len(xs) == 0 || ys[0].Start < xs[0].Start:
			r, y = ys[0].Range, &ys[0]
			if len(xs) > 0 {
				r.End = min(r.End, xs[0].Start)
			}
		default:
			r, x, y = xs[0].Intersect(ys[0].Range), &xs[0], &ys[0]
		}
		if !same(x, y) && !yield(r, cutTo(x, r), cutTo(y, r)) {
			return
		}
		xs, ys = behind(xs, r.End), behind(ys, r.End)
	}
}

func entries(l *ledger.Ledger) []ledger.Entry {
	list := make([]ledger.Entry, 0, l.Len())
	for e := range l.All {
		list = append(list, e)
	}
	return list
}

// behind drops from list the entries below addr.
func behind(list []ledger.Entry, addr uint64) []ledger.Entry {
	switch {
	case len(list) == 0 || list[0].Start >= addr:
		return list
	case list[0].End <= addr:
		return list[1:]
	}
	list[0] = list[0].Cut(vm.Range{Start: addr, End: list[0].End})
	return list
}

// same reports whether x and y are equal, whether or not their files have been deleted since. Either may be nil.
func same(x, y *ledger.Entry) bool {
	if x == nil || y == nil {
		return x == y
	}
	a, b := *x, *y
	a.File.Path = strings.TrimSuffix(a.File.Path, " (deleted)")
	b.File.Path = strings.TrimSuffix(b.File.Path, " (deleted)")
	return a.Same(&b)
}

func cutTo(e *ledger.Entry, r vm.Range) *ledger.Entry {
	if e == nil {
		return nil
	}
	c := e.Cut(r)
	return &c
}

func sprintDifference(what string, id int, r vm.Range, xName string, x *ledger.Entry, yName string, y *ledger.Entry) string {
	name := func(e *ledger.Entry) string {
		if e == nil {
			return "nothing"
		}
		return "(" + e.String() + ")"
	}
	return fmt.Sprintf("%s %d: %v: %s %s, %s %s", what, id, r, xName, name(x), yName, name(y))
}
