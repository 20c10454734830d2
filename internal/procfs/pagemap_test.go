package procfs

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"github.com/vmblame/vmblame/internal/vm"
)

// TestPagemap touches every third page of a mapping of its own and holds both ways of asking against that.
func TestPagemap(t *testing.T) {
	const pages = 1500
	mem, err := syscall.Mmap(-1, 0, pages*vm.PageSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(mem)
	syscall.Madvise(mem, syscall.MADV_NOHUGEPAGE)
	start := uint64(uintptr(unsafe.Pointer(&mem[0])))
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
