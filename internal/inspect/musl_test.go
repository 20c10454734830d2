package inspect

import (
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestMusl: all private memory of no file is malloc's but what the program says is a stack or its own.
func TestMusl(t *testing.T) {
	testenv.Need(t, "musl-gcc")
	said, l, found := program(t, "memory_musl")
	kinds, stacks := map[classify.Kind]*rangeSet{}, map[int]vm.Range{}
	var all rangeSet
	for _, f := range found {
		if kinds[f.Kind] == nil {
			kinds[f.Kind] = &rangeSet{}
		}
		for _, p := range f.Parts {
			kinds[f.Kind].add(p.Range)
			all.add(p.Range)
		}
		if f.Kind == classify.ThreadStack {
			stacks[f.TID] = f.Parts[len(f.Parts)-1].Range
		}
	}
	lines(said, "mine %x %x", func(scan func(...any)) {
		var mine vm.Range
		scan(&mine.Start, &mine.End)
		if all.overlaps(mine) {
			t.Errorf("%v is the program's own", mine)
		}
		all.add(mine)
	})
	n := lines(said, "stack %d %x %x", func(scan func(...any)) {
		var tid int
		var r vm.Range
		scan(&tid, &r.Start, &r.End)
		// What musl says ends below its own control block and the thread's local storage, in the last pages.
		if s := stacks[tid]; s.Start != r.Start || s.End < r.End || s.End > r.End+2*vm.PageSize {
			t.Errorf("stack of %d is %v, found %v", tid, r, s)
		}
	})
	if n != 3 || len(stacks) != 3 {
		t.Errorf("%d stacks found, %d said, want 3", len(stacks), n)
	}
	var malloc, unknown uint64
	for _, r := range kinds[classify.MuslMalloc].ranges() {
		malloc += r.Len()
	}
	for i := range l.Rows {
		if e := &l.Rows[i]; private(e) && e.File.Path == "" {
			for _, r := range all.free(e.Range) {
				unknown += r.Len()
			}
		}
	}
	if malloc < 90<<20 || unknown > 64<<10 {
		t.Errorf("%d KiB of malloc, %d KiB unknown", malloc>>10, unknown>>10)
	}
}
