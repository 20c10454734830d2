package procfs

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"github.com/vmblame/vmblame/internal/vm"
)

// untouched maps pages of its own for a test, small ones, none of which is in memory. start is the address of the first.
func untouched(t *testing.T, pages int) (mem []byte, start uint64) {
	t.Helper()
	mem, err := syscall.Mmap(-1, 0, pages*vm.PageSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(mem) })
	_ = syscall.Madvise(mem, syscall.MADV_NOHUGEPAGE)
	return mem, uint64(uintptr(unsafe.Pointer(&mem[0])))
}

// TestPagemap touches every third page of a mapping of its own and holds both ways of asking against that.
func TestPagemap(t *testing.T) {
	const pages = 1500
	mem, start := untouched(t, pages)
	var want []vm.Range
	for i := uint64(0); i < pages; i += 3 {
		mem[i*vm.PageSize] = 1
		want = append(want, vm.Range{Start: start + i*vm.PageSize, End: start + (i+1)*vm.PageSize})
	}
	r := vm.Range{Start: start, End: start + pages*vm.PageSize}
	for _, noScan := range []bool{false, true} {
		p := &Pagemap{TID: os.Getpid(), noScan: noScan}
		var got []vm.Range
		for x := range p.Resident(r) {
			if p.Present(x) != 1 { // who is yielded to may ask
				t.Fatalf("%v has %d pages", x, p.Present(x))
			}
			got = append(got, x)
		}
		if !slices.Equal(got, want) {
			t.Errorf("without PAGEMAP_SCAN %v: %d ranges, want %d", noScan, len(got), len(want))
		}
		if n := p.Present(r); n != pages/3 {
			t.Errorf("without PAGEMAP_SCAN %v: %d pages, want %d", noScan, n, pages/3)
		}
		for x := range p.Resident(r) {
			if x != want[0] {
				t.Errorf("first is %v, want %v", x, want[0])
			}
			break
		}
		p.Close()
	}
}

// TestDivide holds the counts of three parts against what was touched, with PAGEMAP_SCAN and by the file, and asks about more than
// may be read.
func TestDivide(t *testing.T) {
	const pages = 600
	mem, start := untouched(t, pages)
	part := func(from, to uint64) vm.Range {
		return vm.Range{Start: start + from*vm.PageSize, End: start + to*vm.PageSize}
	}
	parts := []vm.Range{part(0, 100), part(100, 500), part(500, 600)}
	want := []uint64{3, 70, 11}
	for i, r := range parts {
		for k := range want[i] {
			mem[r.Start-start+2*k*vm.PageSize] = 1
		}
	}
	for _, noScan := range []bool{false, true} {
		p := &Pagemap{TID: os.Getpid(), noScan: noScan}
		if got, ok := p.Divide(parts, 84); !ok || !slices.Equal(got, want) {
			t.Errorf("without PAGEMAP_SCAN %v: %v, %v, want %v", noScan, got, ok, want)
		}
		// The longest part of a row needs no look at the file.
		endless := vm.Range{Start: parts[2].End, End: parts[2].End + readable + vm.PageSize}
		if got, ok := p.Divide([]vm.Range{parts[0], endless}, 3); !ok || got[0] != 3 {
			t.Errorf("without PAGEMAP_SCAN %v: beside a long part %v, %v", noScan, got, ok)
		}
		if _, ok := p.Divide([]vm.Range{endless, parts[0], endless}, 3); ok == noScan {
			t.Errorf("without PAGEMAP_SCAN %v: two long parts: %v", noScan, ok)
		}
		p.Close()
	}
}

// TestInMemory: without PAGEMAP_SCAN a long range is not looked at, not by the first call either, which finds out that there is none.
func TestInMemory(t *testing.T) {
	const pages = mostEntries + 8
	mem, start := untouched(t, pages)
	for i := range 5 {
		mem[2*i*vm.PageSize] = 1
	}
	all := vm.Range{Start: start, End: start + pages*vm.PageSize}
	short := vm.Range{Start: start, End: start + mostEntries*vm.PageSize}
	for _, noScan := range []bool{false, true} {
		p := &Pagemap{TID: os.Getpid(), noScan: noScan}
		if n, ok := p.InMemory(all); ok == noScan || ok && n != 5*vm.PageSize {
			t.Errorf("without PAGEMAP_SCAN %v: a long range: %d, %v", noScan, n, ok)
		}
		if n, ok := p.InMemory(short); !ok || n != 5*vm.PageSize {
			t.Errorf("without PAGEMAP_SCAN %v: %d, %v", noScan, n, ok)
		}
		p.Close()
	}
}
