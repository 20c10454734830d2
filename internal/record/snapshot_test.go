package record

import (
	"os"
	"testing"
	"unsafe"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
	"golang.org/x/sys/unix"
)

// A process that is measured while it runs has mapped more since its mappings were listed: the kernel shows both in one row.
func TestFiguresOfAnOlderLedger(t *testing.T) {
	const pages = 16
	whole, err := unix.Mmap(-1, 0, (pages+2)*vm.PageSize, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(whole) }()
	mem := whole[vm.PageSize : (pages+1)*vm.PageSize] // a row of its own, whatever the neighbours are
	if err := unix.Mprotect(mem, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(mem); i += vm.PageSize {
		mem[i] = 1
	}
	rows, err := procfs.Smaps(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	start := uint64(uintptr(unsafe.Pointer(&mem[0])))
	known := []ledger.Entry{ // its first four pages, and two in the middle
		{Mapping: vm.Mapping{Range: vm.Range{Start: start, End: start + 4*vm.PageSize}}},
		{Mapping: vm.Mapping{Range: vm.Range{Start: start + 8*vm.PageSize, End: start + 10*vm.PageSize}}},
	}
	walk := procfs.Pagemap{TID: os.Getpid()}
	defer walk.Close()
	for _, entries := range [][]ledger.Entry{known, known[:1], known[1:]} {
		list, ok := newEncoder().figures(entries, rows, &walk)
		if !ok {
			t.Fatal("the row was not divided")
		}
		for i := range list {
			if m := &list[i]; m.RSS != entries[i].Len() || m.PrivateDirty != entries[i].Len() {
				t.Errorf("%d of %d mappings: %d bytes in memory, %d of them written to, of %d that were all written to", i, len(list), m.RSS, m.PrivateDirty, entries[i].Len())
			}
		}
	}
}

// A page that two processes share is half of each: what a row has of that is divided more finely than pages.
func TestDividedShares(t *testing.T) {
	const pages = 6
	mem, err := unix.Mmap(-1, 0, pages*vm.PageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(mem) }()
	for i := 0; i < len(mem); i += vm.PageSize {
		mem[i] = 1
	}
	start := uint64(uintptr(unsafe.Pointer(&mem[0])))
	walk := procfs.Pagemap{TID: os.Getpid()}
	defer walk.Close()
	for pss := uint64(1 << 10); pss <= pages*vm.PageSize; pss += 1 << 10 {
		row := vm.SmapsEntry{Rss: pages * vm.PageSize, Pss: pss}
		row.Range = vm.Range{Start: start, End: start + pages*vm.PageSize}
		var list [3]eventlog.SnapshotMapping
		for i := range list {
			list[i].Start, list[i].End = eventlog.Hex(start+uint64(2*i)*vm.PageSize), eventlog.Hex(start+uint64(2*i+2)*vm.PageSize)
		}
		if !addRow(list[:], &row, &walk) {
			t.Fatal("the row was not divided")
		}
		sum := uint64(0)
		for i := range list {
			if sum += list[i].PSS; list[i].PSS > list[i].RSS {
				t.Errorf("%d bytes of %d in all: %d of the %d in memory", pss, row.Rss, list[i].PSS, list[i].RSS)
			}
		}
		if sum != pss {
			t.Errorf("the parts of %d bytes are %d together", pss, sum)
		}
	}
}
