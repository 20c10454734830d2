package procfs

import (
	"os"
	"reflect"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/vm"
)

// Both ways to ask the kernel, PROCMAP_QUERY and the text of /proc/PID/maps, give the same rows. The process
// asked is this one, so only ranges that stand still are compared: a reservation made here.
func TestMapsBothWays(t *testing.T) {
	const size = 64 * vm.PageSize
	mem, err := unix.MmapPtr(-1, 0, nil, size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	base := uint64(uintptr(mem))
	defer unix.MunmapPtr(mem, size)
	file, err := os.Create(t.TempDir() + "/mapped file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	at := func(page uint64) uintptr { return uintptr(base + page*vm.PageSize) }
	mustMap := func(page, pages uint64, prot, flags int, fd int, offset int64) {
		t.Helper()
		_, _, e := syscall.Syscall6(syscall.SYS_MMAP, at(page), uintptr(pages*vm.PageSize), uintptr(prot), uintptr(flags|unix.MAP_FIXED), uintptr(fd), uintptr(offset))
		if e != 0 {
			t.Fatal(e)
		}
	}
	mustMap(2, 4, unix.PROT_READ, unix.MAP_PRIVATE, int(file.Fd()), 3*vm.PageSize)
	mustMap(6, 2, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED, int(file.Fd()), 0)
	mustMap(10, 2, unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON, -1, 0)
	mustMap(14, 2, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON, -1, 0)
	if _, _, e := syscall.Syscall(syscall.SYS_MUNMAP, at(20), 4*vm.PageSize, 0); e != 0 {
		t.Fatal(e)
	}
	if err := os.Remove(file.Name()); err != nil {
		t.Fatal(err)
	}

	m, err := OpenMaps(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	cut := func(rows []vm.Mapping, r vm.Range) (out []vm.Mapping) {
		for _, row := range rows {
			out = append(out, row.Slice(r))
		}
		return out
	}
	for from := uint64(0); from < 30; from++ {
		for to := from + 1; to <= 30; to++ {
			r := vm.Range{Start: base + from*vm.PageSize, End: base + to*vm.PageSize}
			m.query = true
			asked, err := m.In(r)
			if err != nil {
				t.Fatal(err)
			}
			a := slices.Clone(cut(asked, r))
			m.query = false
			read, err := m.In(r)
			if err != nil {
				t.Fatal(err)
			}
			if b := cut(read, r); !reflect.DeepEqual(a, b) {
				t.Fatalf("pages %d to %d:\nasked %v\nread  %v", from, to, a, b)
			}
		}
	}
	row, ok := m.At(base + 3*vm.PageSize)
	if !ok || row.Offset != 3*vm.PageSize || row.File.Path != file.Name()+" (deleted)" {
		t.Fatalf("row of the file: %v, %v", row, ok)
	}
}
