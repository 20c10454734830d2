package procfs

import (
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/vm"
)

// TestSmapsOfChanges: the rows of a process that splits and joins its mappings all the time are in order and apart from each other, though the text is
// not: the kernel shows a row that has grown downwards meanwhile from its start on.
func TestSmapsOfChanges(t *testing.T) {
	const pages = 400
	base, _, e := unix.Syscall6(unix.SYS_MMAP, 0, pages*vm.PageSize, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS, ^uintptr(0), 0)
	if e != 0 {
		t.Fatal(e)
	}
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for r := rand.New(rand.NewPCG(1, 2)); !stop.Load(); {
			first := r.Uint64N(pages - 8)
			at, n := base+uintptr(first*vm.PageSize), uintptr(1+r.Uint64N(8))*vm.PageSize
			_, _, _ = unix.Syscall(unix.SYS_MPROTECT, at, n, uintptr(r.IntN(2))*unix.PROT_WRITE|unix.PROT_READ)
		}
	}()
	defer func() {
		stop.Store(true)
		<-done
		_, _, _ = unix.Syscall(unix.SYS_MUNMAP, base, pages*vm.PageSize, 0)
	}()
	// It is found in one text of ten. 300 of them, or what a second is for.
	for begin, n := time.Now(), 0; n < 300 && time.Since(begin) < time.Second; n++ {
		rows, err := Smaps(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i < len(rows); i++ {
			if rows[i].Start < rows[i-1].End {
				t.Fatalf("text %d: %v and then %v", n, rows[i-1].Range, rows[i].Range)
			}
		}
	}
}
