package ledger

import (
	"fmt"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

// filled returns a ledger of n entries of two pages with two free pages after each, and their rows.
func filled(n int) (*Ledger, []vm.Mapping) {
	l := New()
	rows := make([]vm.Mapping, n)
	for i := range rows {
		start := modelBase + uint64(i)*4*vm.PageSize
		rows[i] = vm.Mapping{Range: vm.Range{Start: start, End: start + 2*vm.PageSize}, Perms: vm.Read | vm.Write}
	}
	l.Load(rows, func(m vm.Mapping) Origin { return Origin{Event: m.Start >> 12} })
	return l, rows
}

// hole is the free range after the i-th entry of filled.
func hole(n, i int) vm.Range {
	start := modelBase + uint64(i*7919%n)*4*vm.PageSize + 2*vm.PageSize
	return vm.Range{Start: start, End: start + 2*vm.PageSize}
}

var sizes = []int{100, 10000}

// BenchmarkPair is an mmap of a free range and the munmap of it, all over the ledger.
func BenchmarkPair(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, _ := filled(n)
			var changes []Change
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r := hole(n, i)
				changes = l.Add(Entry{Mapping: vm.Mapping{Range: r, Perms: vm.Read}, Origin: Origin{Event: uint64(i)}}, changes[:0])
				changes = l.Remove(r, changes)
			}
		})
	}
}

// BenchmarkPairHere is the same where a program maps and unmaps at one place.
func BenchmarkPairHere(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, _ := filled(n)
			var changes []Change
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r := hole(n, 3)
				changes = l.Add(Entry{Mapping: vm.Mapping{Range: r, Perms: vm.Read}, Origin: Origin{Event: uint64(i)}}, changes[:0])
				changes = l.Remove(r, changes)
			}
		})
	}
}

// BenchmarkSplit is an mprotect of the second page of an entry and its undoing.
func BenchmarkSplit(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, rows := filled(n)
			var changes []Change
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				r := rows[i%n].Range
				r.Start += vm.PageSize
				changes = l.Protect(r, vm.Read, changes[:0])
				changes = l.Protect(r, vm.Read|vm.Write, changes)
			}
		})
	}
}

func BenchmarkClone(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, _ := filled(n)
			b.ReportAllocs()
			for b.Loop() {
				l.Clone()
			}
		})
	}
}

func BenchmarkDiffers(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, rows := filled(n)
			b.ReportAllocs()
			for b.Loop() {
				if l.Differs(rows) {
					b.Fatal("differs")
				}
			}
		})
	}
}

// BenchmarkReconcile is the comparison of everything where nothing differs.
func BenchmarkReconcile(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, rows := filled(n)
			b.ReportAllocs()
			for b.Loop() {
				if len(l.Reconcile(vm.Range{End: vm.AddressMax}, rows, Origin{}, nil)) != 0 {
					b.Fatal("differs")
				}
			}
		})
	}
}

func BenchmarkQueries(b *testing.B) {
	for _, n := range sizes {
		l, _ := filled(n)
		b.Run(fmt.Sprintf("At/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				l.At(hole(n, i).Start - 1)
			}
		})
		b.Run(fmt.Sprintf("Covered/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				l.Covered(hole(n, i))
			}
		})
		b.Run(fmt.Sprintf("Free/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				l.Free(hole(n, i))
			}
		})
	}
}
