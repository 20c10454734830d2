package inspect

import (
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestLoader: what dlinfo(3) says that the loader made, and the first thread's control block, is the loader's; what
// the program mapped right beside, and what malloc has of the loader, is not.
func TestLoader(t *testing.T) {
	said, _, found := program(t, "memory_loader")
	var own, files rangeSet
	for _, f := range found {
		for _, p := range f.Parts {
			if f.Kind == classify.Loader {
				own.add(p.Range)
			} else if isLoader(f.Detail) {
				files.add(p.Range)
			}
		}
	}
	at := func(want bool) func(func(...any)) {
		return func(scan func(...any)) {
			var a uint64
			scan(&a)
			if want && files.overlaps(vm.RangeOf(a, 1)) {
				return // in the last page of the loader's own variables, which it uses up first
			}
			if own.overlaps(vm.RangeOf(a, 1)) != want {
				t.Errorf("%x is the loader's: %v", a, !want)
			}
		}
	}
	if lines(said, "map %x", at(true)) == 0 || own.ends.Len() == 0 || lines(said, "block %x", at(true)) != 1 || lines(said, "later %x", at(false)) != 1 {
		t.Errorf("said %q", said)
	}
	n := lines(said, "mine %x %x", func(scan func(...any)) {
		var r vm.Range
		scan(&r.Start, &r.End)
		if own.overlaps(r) {
			t.Errorf("%v is the program's own", r)
		}
	})
	if n != 8 || own.ends.Len() > 6 {
		t.Errorf("%d mappings of the program's, loader's %v", n, own.ranges())
	}
}
