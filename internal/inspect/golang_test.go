package inspect

import (
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestGo holds what is found of Go's runtime against its own figures, with symbols and without: the heap to the byte,
// all but a little of the rest, and nothing of what the program mapped itself.
func TestGo(t *testing.T) {
	for _, name := range []string{"memory_go", "memory_go_stripped"} {
		t.Run(name, func(t *testing.T) {
			said, l, found := program(t, name)
			var heap, unknown uint64
			var claims rangeSet
			for _, f := range found {
				for _, p := range f.Parts {
					claims.add(p.Range)
					if e := l.row(p.Start); f.Kind == classify.GoHeap && e.Perms&vm.Write != 0 {
						heap += p.Len()
					}
				}
			}
			lines(said, "heap %x", func(scan func(...any)) {
				var want uint64
				scan(&want)
				// The collector's work buffers lie in the heap and are counted elsewhere (workbufAlloc of runtime/mgcwork.go).
				const buffers = 32 << 10
				if heap < want || heap-want > 16*buffers || (heap-want)%buffers != 0 {
					t.Errorf("%d bytes of heap are open, the runtime says %d", heap, want)
				}
			})
			lines(said, "mine %x %x", func(scan func(...any)) {
				var mine vm.Range
				scan(&mine.Start, &mine.End)
				if claims.overlaps(mine) {
					t.Errorf("%v is the program's own", mine)
				}
				unknown -= mine.Len()
			})
			for i := range l.Rows {
				if e := &l.Rows[i]; anonymous(e) && e.File.Path == "" {
					for _, r := range claims.free(e.Range) {
						unknown += r.Len()
					}
				}
			}
			if unknown > 4<<20 {
				t.Errorf("%d KiB of the runtime's memory are unknown", unknown>>10)
			}
		})
	}
}
