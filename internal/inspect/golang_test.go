package inspect

import (
	"encoding/binary"
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

// goHeap is the memory of a Go program whose heap is full of pointers in every other page.
type goHeap struct{ heap, index, rest vm.Range }

func (m goHeap) word(at uint64) uint64 {
	switch {
	case m.heap.Contains(at):
		return m.rest.Start
	case at >= m.index.Start+goMapBase+m.heap.Start/goArena*8 && at < m.index.Start+goMapBase+m.heap.End/goArena*8:
		return m.rest.Start + at%vm.PageSize/8<<16
	}
	return 0
}

func (m goHeap) ReadPages(p []byte, addr uint64) int {
	for i := 0; i < len(p); i += 8 {
		binary.LittleEndian.PutUint64(p[i:], m.word(addr+uint64(i)))
	}
	return len(p)
}

func (m goHeap) Resident(r vm.Range) func(yield func(vm.Range) bool) {
	return func(yield func(vm.Range) bool) {
		for at := r.Start; at < r.End; at += vm.PageSize {
			if (m.heap.Contains(at) && at/vm.PageSize%2 == 0 || m.word(at+m.heap.Start/goArena*8%vm.PageSize) != 0) && !yield(vm.RangeOf(at, vm.PageSize)) {
				return
			}
		}
	}
}

// TestGoIndexBesideHeap: the index is found though the heap is full of what may be words of it.
func TestGoIndexBesideHeap(t *testing.T) {
	m := goHeap{vm.RangeOf(1<<32, 2*goArena), vm.RangeOf(0x7f0000000000, goMapSize), vm.RangeOf(0x7f1000000000, 64<<20)}
	p := &Process{Memory: m}
	for _, r := range []vm.Range{m.heap, m.index, m.rest} {
		p.Rows = append(p.Rows, vm.SmapsEntry{Mapping: vm.Mapping{Range: r, Perms: vm.Read | vm.Write}})
	}
	l := &look{Process: p, reader: newReader(m, vm.AddressMax, usual)}
	arenas, at := l.goArenas()
	if arenas == nil || at != m.index.Start || len(arenas.ranges()) != 1 || arenas.ranges()[0] != m.heap {
		t.Errorf("index at %x, arenas %v", at, arenas)
	}
}
