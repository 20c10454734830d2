package ledger

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

// kernelBase is where the kernel places nothing of its own accord: it works down from the stack and up
// from the program, and this is far from both.
const (
	kernelBase  = 0x100000000000
	kernelPages = 96
)

// kernel is a stretch of this process's own address space and the ledger that foretells it.
type kernel struct {
	t      *testing.T
	rng    *rand.Rand
	fd     uintptr
	file   vm.File
	parser vm.MapsParser
	rows   []vm.Mapping
	ledger *Ledger
	replay *Ledger
	event  uint64
	right  map[string]int // calls whose effect was foretold, by kind
}

var whole = vm.Range{Start: kernelBase, End: kernelBase + kernelPages*vm.PageSize}

func (k *kernel) call(n uintptr, a ...uintptr) (uint64, syscall.Errno) {
	var x [6]uintptr
	copy(x[:], a)
	r, _, errno := syscall.Syscall6(n, x[0], x[1], x[2], x[3], x[4], x[5])
	return uint64(r), errno
}

// read reads the rows of the stretch.
func (k *kernel) read() []vm.Mapping {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		k.t.Fatal(err)
	}
	all, err := k.parser.Parse(k.rows[:0], text)
	if err != nil {
		k.t.Fatal(err)
	}
	k.rows = all
	var rows []vm.Mapping
	for _, m := range all {
		if m.Overlaps(whole) {
			rows = append(rows, m.Slice(whole))
		}
	}
	return rows
}

func (k *kernel) span(most int) vm.Range {
	from := k.rng.IntN(kernelPages - most)
	start := kernelBase + uint64(from)*vm.PageSize
	return vm.Range{Start: start, End: start + uint64(1+k.rng.IntN(most))*vm.PageSize}
}

// foretold holds the ledger against the kernel after a call.
func (k *kernel) foretold(kind string, changes []Change) {
	k.t.Helper()
	rows := k.read()
	if k.ledger.Differs(rows) {
		diff := k.ledger.Clone().Reconcile(whole, rows, Origin{Cause: Drift}, nil)
		k.t.Fatalf("%s: the call changed\n%v\nand the kernel differs by\n%v", kind, changeTexts(changes), changeTexts(diff))
	}
	k.follow(kind, changes)
	k.right[kind]++
}

// settled takes over what the kernel shows after a call whose effect is not to be foretold.
func (k *kernel) settled(kind string) {
	k.t.Helper()
	rows := k.read()
	changes := k.ledger.Reconcile(whole, rows, Origin{Event: k.event}, nil)
	if k.ledger.Differs(rows) {
		k.t.Fatalf("%s: Reconcile leaves a difference after %v", kind, changeTexts(changes))
	}
	k.follow(kind, changes)
}

func (k *kernel) follow(kind string, changes []Change) {
	k.t.Helper()
	if err := k.replay.Apply(changes); err != nil {
		k.t.Fatalf("%s: %v", kind, err)
	}
}

func (k *kernel) mmap() {
	r := k.span(12)
	prot := uint64(k.rng.IntN(8))
	flags, fd, offset := uint64(vm.MapFixed), ^uintptr(0), uint64(0)
	e := Entry{Mapping: vm.Mapping{Range: r, Perms: vm.ProtPerms(prot)}, Origin: Origin{Event: k.event}}
	shared := k.rng.IntN(3) == 0
	if shared {
		flags |= vm.MapShared
		e.Perms |= vm.Shared
	} else {
		flags |= vm.MapPrivate
	}
	backed := k.rng.IntN(2) == 0
	if backed {
		fd, offset = k.fd, uint64(k.rng.IntN(4))*vm.PageSize
		e.File, e.Offset = k.file, offset
	} else {
		flags |= vm.MapAnonymous
	}
	if _, errno := k.call(syscall.SYS_MMAP, uintptr(r.Start), uintptr(r.Len()), uintptr(prot), uintptr(flags), fd, uintptr(offset)); errno != 0 {
		k.t.Fatalf("mmap: %v", errno)
	}
	if shared && !backed {
		for _, m := range k.read() {
			if m.Contains(r.Start) {
				e.File = m.File // the kernel's own: a new inode each time
			}
		}
	}
	k.foretold("mmap", k.ledger.Add(e, nil))
}

func (k *kernel) munmap() {
	r := k.span(12)
	if _, errno := k.call(syscall.SYS_MUNMAP, uintptr(r.Start), uintptr(r.Len())); errno != 0 {
		k.t.Fatalf("munmap: %v", errno)
	}
	k.foretold("munmap", k.ledger.Remove(r, nil))
}

func (k *kernel) mprotect() {
	r := k.span(12)
	prot := uint64(k.rng.IntN(8))
	_, errno := k.call(syscall.SYS_MPROTECT, uintptr(r.Start), uintptr(r.Len()), uintptr(prot))
	if errno != 0 {
		k.settled("mprotect")
		return
	}
	k.foretold("mprotect", k.ledger.Protect(r, vm.ProtPerms(prot), nil))
}

// resize is mremap in place.
func (k *kernel) resize() {
	r := k.span(8)
	if k.rng.IntN(2) == 0 {
		// The end of something that has room to grow.
		var ends []Entry
		k.ledger.All(func(e Entry) bool {
			if k.ledger.Free(vm.Range{Start: e.End, End: e.End + vm.PageSize}) && e.End < whole.End-12*vm.PageSize {
				ends = append(ends, e)
			}
			return true
		})
		if len(ends) > 0 {
			r = ends[k.rng.IntN(len(ends))].Range
		}
	}
	length := uint64(1+k.rng.IntN(10)) * vm.PageSize
	at, errno := k.call(syscall.SYS_MREMAP, uintptr(r.Start), uintptr(r.Len()), uintptr(length))
	switch {
	case errno != 0:
		k.settled("resize")
	case at != r.Start:
		k.t.Fatalf("mremap without MREMAP_MAYMOVE moved %v to %x", r, at)
	case length < r.Len():
		k.foretold("shrink", k.ledger.Remove(vm.Range{Start: r.Start + length, End: r.End}, nil))
	case length > r.Len():
		k.foretold("grow", k.ledger.Extend(vm.Range{Start: r.End, End: r.Start + length}, Origin{Event: k.event}, nil))
	}
}

// move is mremap to a place of its own.
func (k *kernel) move() {
	r := k.span(8)
	length := uint64(1+k.rng.IntN(10)) * vm.PageSize
	if k.rng.IntN(2) == 0 {
		length = r.Len()
	}
	to := kernelBase + uint64(k.rng.IntN(kernelPages-12))*vm.PageSize
	kind, flags, keep := "move", uintptr(vm.RemapMayMove|vm.RemapFixed), false
	switch k.rng.IntN(6) {
	case 0:
		kind, flags, length, keep = "dontunmap", flags|vm.RemapDontUnmap, r.Len(), true
	case 1:
		kind, r.End = "duplicate", r.Start
	}
	if _, errno := k.call(syscall.SYS_MREMAP, uintptr(r.Start), uintptr(r.Len()), uintptr(length), flags, uintptr(to)); errno != 0 {
		k.settled(kind)
		return
	}
	if n := 0; kind == "move" {
		k.ledger.Overlapping(r, func(Entry) bool { n++; return true })
		if n > 1 || !k.ledger.Covered(r) {
			kind = "move several" // Linux 6.17 and later
		}
	}
	k.foretold(kind, k.ledger.Move(r, to, length, Origin{Event: k.event}, keep, nil))
}

// TestAgainstKernel makes calls on this process's own memory and compares what the ledger foretells with
// what the kernel then shows.
func TestAgainstKernel(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "mapped"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(64 * vm.PageSize); err != nil {
		t.Fatal(err)
	}
	k := &kernel{t: t, rng: rand.New(rand.NewPCG(1, 2)), fd: f.Fd(), ledger: New(), replay: New(), right: map[string]int{}}
	if rows := k.read(); len(rows) != 0 {
		t.Fatalf("%v is not free: %v", whole, rows)
	}
	defer k.call(syscall.SYS_MUNMAP, uintptr(whole.Start), uintptr(whole.Len()))

	// The file as the kernel names it, whose device is not stat's everywhere.
	if _, errno := k.call(syscall.SYS_MMAP, kernelBase, vm.PageSize, vm.ProtRead, vm.MapPrivate|vm.MapFixed, k.fd); errno != 0 {
		t.Fatal(errno)
	}
	rows := k.read()
	k.file = rows[0].File
	k.ledger.Load(rows, func(vm.Mapping) Origin { return Origin{Cause: BeforeAttach} })
	k.replay.Load(rows, func(vm.Mapping) Origin { return Origin{Cause: BeforeAttach} })

	calls := []func(){k.mmap, k.mmap, k.mmap, k.munmap, k.mprotect, k.mprotect, k.resize, k.move, k.move}
	for range 4000 {
		k.event++
		calls[k.rng.IntN(len(calls))]()
	}
	t.Logf("foretold: %v", k.right)
	for _, kind := range []string{"mmap", "munmap", "mprotect", "shrink", "grow", "move", "dontunmap", "duplicate"} {
		if k.right[kind] < 10 {
			t.Errorf("%s succeeded %d times", kind, k.right[kind])
		}
	}
	changes := k.ledger.Remove(whole, nil)
	k.follow("end", changes)
	if k.replay.Len() != 0 || k.replay.Bytes() != 0 {
		t.Errorf("the replay ends with %v", stateTexts(k.replay))
	}
}
