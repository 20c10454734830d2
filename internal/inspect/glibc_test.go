package inspect

import (
	"encoding/binary"
	"encoding/xml"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestGlibc holds what is found against the C library's own books: pthread_getattr_np, chunk headers, malloc_info.
func TestGlibc(t *testing.T) {
	said, _, found := program(t, "memory_malloc")
	stacks := map[int]vm.Range{}
	var ended, large []vm.Range
	var books []*classify.Books
	arenas := map[string]int{} // by the threads that use them
	for _, f := range found {
		switch f.Kind {
		case classify.ThreadStack:
			r := f.Parts[len(f.Parts)-1].Range
			if f.TID == 0 {
				ended = append(ended, r)
			} else {
				stacks[f.TID] = r
			}
			if len(f.Parts) != 2 || f.Parts[0].Kind != classify.StackGuard || f.Parts[0].End != r.Start {
				t.Errorf("stack %v has no guard below it: %v", r, f.Parts)
			}
		case classify.GlibcLarge:
			large = append(large, f.Parts[0].Range)
		case classify.GlibcArena, classify.Heap:
			if f.Books == nil {
				t.Errorf("%v %v has no books", f.Kind, f.Parts)
				continue
			}
			if f.Kind == classify.GlibcArena {
				arenas[f.Detail]++
			}
			books = append(books, f.Books)
		}
	}
	n := lines(said, "stack %d %x %x %x", func(scan func(...any)) {
		var tid int
		var r vm.Range
		var guard uint64
		scan(&tid, &r.Start, &r.End, &guard)
		if stacks[tid] != r {
			t.Errorf("stack of %d is %v, found %v", tid, r, stacks[tid])
		}
	})
	if n != 3 || len(stacks) != 3 {
		t.Errorf("%d stacks found, %d said, want 3", len(stacks), n)
	}
	lines(said, "ended %x %x %x", func(scan func(...any)) {
		var r vm.Range
		var guard uint64
		scan(&r.Start, &r.End, &guard)
		if len(ended) != 1 || ended[0] != r {
			t.Errorf("stack of the ended thread is %v, found %v", r, ended)
		}
	})
	want := map[vm.Range]bool{}
	lines(said, "large %x %x", func(scan func(...any)) {
		var r vm.Range
		scan(&r.Start, &r.End)
		want[r] = true
	})
	for _, r := range large {
		if !want[r] {
			t.Errorf("%v is no large allocation", r)
		}
		delete(want, r)
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}

	var info struct {
		Heaps []struct {
			System []struct {
				Size uint64 `xml:"size,attr"`
			} `xml:"system"`
			Total []struct {
				Count uint64 `xml:"count,attr"`
				Size  uint64 `xml:"size,attr"`
			} `xml:"total"`
		} `xml:"heap"`
	}
	text := strings.Join(said, "\n")
	if err := xml.Unmarshal([]byte(text[strings.Index(text, "<malloc"):strings.Index(text, "\ntotal ")]), &info); err != nil {
		t.Fatal(err)
	}
	// The thread that has ended left one behind.
	if len(info.Heaps) != 5 || arenas["1 thread attached"] != 3 || arenas["0 threads attached"] != 1 {
		t.Fatalf("malloc_info has %d heaps, found %v", len(info.Heaps), arenas)
	}
	var system, free uint64
	for _, h := range info.Heaps {
		// malloc_info adds up sizes with their flags, up to 7 in each chunk (malloc/malloc.c, __malloc_info).
		var most, chunks uint64
		for _, x := range h.Total {
			most += x.Size
			chunks += x.Count
		}
		i := slices.IndexFunc(books, func(b *classify.Books) bool {
			return b.System == h.System[0].Size && b.Free <= most && most <= b.Free+7*(chunks+1)
		})
		if i < 0 {
			t.Errorf("no books with %d bytes of the kernel and %d free", h.System[0].Size, most)
			continue
		}
		system, free = system+books[i].System, free+books[i].Free
		books = slices.Delete(books, i, i+1)
	}
	lines(said, "total %x %x", func(scan func(...any)) {
		var s, f uint64
		scan(&s, &f)
		if s != system || f != free {
			t.Errorf("%d of the kernel and %d free, mallinfo2 says %d and %d", system, free, s, f)
		}
	})
}

// TestGlibcAlone: a program of one thread has the main arena alone; advice to a part of a chunk divides its row, and of a row that
// begins with the program's own memory the rest is a chunk.
func TestGlibcAlone(t *testing.T) {
	said, l, found := program(t, "memory_single")
	var large, want []vm.Range
	var heap *classify.Books
	for _, f := range found {
		switch f.Kind {
		case classify.GlibcLarge:
			large = append(large, f.Parts[0].Range)
		case classify.Heap:
			heap = f.Books
		}
	}
	lines(said, "large %x %x", func(scan func(...any)) {
		var r vm.Range
		scan(&r.Start, &r.End)
		want = append([]vm.Range{r}, want...) // the later one lies below
	})
	if len(want) != 2 || !slices.Equal(large, want) {
		t.Errorf("large chunks are %v, want %v", large, want)
	}
	lines(said, "own %x %x", func(scan func(...any)) {
		var own vm.Range
		scan(&own.Start, &own.End)
		if e := l.row(own.Start); !e.Contains(own.End) {
			t.Errorf("%v has a row of its own, %v", own, e.Range)
		}
	})
	lines(said, "total %x %x", func(scan func(...any)) {
		var system, free uint64
		scan(&system, &free)
		if heap == nil || heap.System != system || heap.Free != free {
			t.Errorf("books are %+v, mallinfo2 says %d of the kernel and %d free", heap, system, free)
		}
	})
}

// TestLargeBehind: what begins inside a row is a chunk only where as many and as much are missing in what malloc counts.
func TestLargeBehind(t *testing.T) {
	const from, chunk = 0x7f0000000000, 1 << 20
	memory := flat{from, make([]byte, 8<<20)}
	p := &Process{Memory: memory, Rows: []vm.SmapsEntry{{Mapping: vm.Mapping{Range: vm.RangeOf(from, 8<<20), Perms: vm.Read | vm.Write}}}}
	for _, at := range []uint64{0x3000, 0x3000 + chunk, 4 << 20} {
		binary.LittleEndian.PutUint64(memory.b[at+8:], chunk|isMmapped)
	}
	binary.LittleEndian.PutUint64(memory.b[7<<20+8:], 2*chunk|isMmapped) // too long for its row
	known := []classify.Finding{{Parts: []classify.Part{{Range: vm.RangeOf(from+4<<20, chunk)}}}}
	for _, x := range []struct {
		n, bytes uint64
		want     int
	}{{2, 2 * chunk, 2}, {1, chunk, 0}, {2, chunk, 0}, {2, 3 * chunk, 0}, {3, 3 * chunk, 0}} {
		l := &look{Process: p, reader: newReader(memory, from+8<<20, usual)}
		if got := l.largeBehind(known, x.n, x.bytes); len(got) != x.want || x.want > 0 && (got[0].Parts[0].Range != vm.RangeOf(from+0x3000, chunk) || got[1].Parts[0].Range != vm.RangeOf(from+0x3000+chunk, chunk)) {
			t.Errorf("%d chunks of %d bytes are missing: %v", x.n, x.bytes, got)
		}
	}
}
