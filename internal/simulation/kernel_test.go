package simulation

import (
	"errors"
	"math/bits"
	"syscall"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// The modelled address space: 64 pages, so that a set of them is one word. The kernel places what it may choose
// in the arena; the heap stands above it, and at the top a stack that grows down.
const (
	base      = 0x10000 // number of its first page
	pageCount = 64
	arenaEnd  = 40
	heapStart = 40
	heapEnd   = 50
	stackLow  = 54 // it grows no further
	stackTop  = 64
)

// set is a set of pages, page i in bit i.
type set uint64

func span(from, to int) set {
	if from >= to {
		return 0
	}
	return set(1)<<to - set(1)<<from // to is 64 at most, and 1<<64 is 0
}

func addr(page int) uint64 { return uint64(base+page) * vm.PageSize }

func pagesOf(r vm.Range) set {
	from, to := int(r.Start/vm.PageSize)-base, int((r.End+vm.PageSize-1)/vm.PageSize)-base
	return span(min(max(from, 0), pageCount), min(max(to, 0), pageCount))
}

func rangeOf(from, to int) vm.Range { return vm.Range{Start: addr(from), End: addr(to)} }

// page is one page of the model.
type page struct {
	by        uint32 // the call that mapped it; 0 where that is not known or there was none
	file      uint16 // 0 is anonymous
	offset    uint16 // in the file, in pages
	perms     vm.Perms
	growsDown bool
	split     bool // a row of the kernel's begins here, whatever stands before
	grown     bool // it came by a fault, which no call tells of
}

// kernel is a model of one address space: an array of pages, too simple to be wrong. It is the View that package mm
// asks.
type kernel struct {
	pages  [pageCount]page
	mapped set
	dirty  set // what has changed since the judge looked last
	// forgotten is how often pages have lost their by, which a copy that was made before still has.
	forgotten int
	brk       uint64
	files     uint16 // the last number given to a shared object
	rings     []ring
	gone      bool
	rows      []vm.Mapping // reused
}

func newKernel(rng *dice) *kernel {
	k := &kernel{brk: addr(heapStart), files: 3}
	for i := range 6 {
		k.put(i, page{perms: vm.Read | vm.Exec, file: 1, offset: uint16(i)})
	}
	for i := stackTop - 3; i < stackTop; i++ {
		k.put(i, page{perms: vm.Read | vm.Write, growsDown: true})
	}
	if rng.IntN(2) == 0 { // as it is found by an attach
		k.brk = addr(heapStart + 2)
		k.put(heapStart, page{perms: vm.Read | vm.Write})
		k.put(heapStart+1, page{perms: vm.Read | vm.Write})
	}
	return k
}

func (k *kernel) put(i int, p page) {
	*k.edit(i) = p
	k.mapped |= 1 << i
}

// edit returns a page to write to.
func (k *kernel) edit(i int) *page {
	k.dirty |= 1 << i
	return &k.pages[i]
}

func (k *kernel) protect(i int, perms vm.Perms) {
	p := k.edit(i)
	p.perms = p.perms&vm.Shared | perms
}

func (k *kernel) remove(s set) {
	for rest := s & k.mapped; rest != 0; rest &= rest - 1 {
		k.pages[bits.TrailingZeros64(uint64(rest))] = page{}
	}
	k.mapped &^= s
	k.dirty |= s
}

func (k *kernel) has(i int) bool { return k.mapped>>i&1 != 0 }

// joined reports whether page i continues the row of the page before it.
func (k *kernel) joined(i int) bool {
	if i == 0 || !k.has(i) || !k.has(i-1) {
		return false
	}
	p, before := &k.pages[i], &k.pages[i-1]
	return !p.split && p.perms == before.perms && p.file == before.file && p.growsDown == before.growsDown &&
		(p.file == 0 || p.offset == before.offset+1)
}

// row returns where the row of page i begins and ends.
func (k *kernel) row(i int) (from, to int) {
	from, to = i, i+1
	for k.joined(from) {
		from--
	}
	for to < pageCount && k.joined(to) {
		to++
	}
	return from, to
}

var errGone = errors.New("the address space is gone")

// All implements mm.View.
func (k *kernel) All() ([]vm.Mapping, error) { return k.In(rangeOf(0, pageCount)) }

// In implements mm.View.
func (k *kernel) In(r vm.Range) ([]vm.Mapping, error) {
	if k.gone {
		return nil, errGone
	}
	k.rows = k.rows[:0]
	for rest := pagesOf(r) & k.mapped; rest != 0; {
		from, to := k.row(bits.TrailingZeros64(uint64(rest)))
		rest &^= span(0, to)
		k.rows = append(k.rows, k.mapping(from, to))
	}
	return k.rows, nil
}

func (k *kernel) mapping(from, to int) vm.Mapping {
	p := &k.pages[from]
	m := vm.Mapping{Range: rangeOf(from, to), Perms: p.perms}
	switch {
	case p.file != 0:
		m.File = fileOf(p.file)
		m.Offset = uint64(p.offset) * vm.PageSize
	case to == stackTop:
		m.File.Path = "[stack]"
	case m.Start < k.brk && m.End > addr(heapStart): // fs/proc/task_mmu.c, vma_is_initial_heap
		m.File.Path = "[heap]"
	}
	return m
}

// Bits of the numbers of those shared objects that shmat(2) attaches, and of the rings of io_setup(2).
const (
	segment = 1 << 15
	ofRing  = 1 << 14
)

// ring is one of io_setup(2): the page where it begins, how many it has, and their object.
type ring struct {
	at, n int
	file  uint16
}

// fileOf is a file of the model: one of three, or a shared object.
func fileOf(n uint16) vm.File {
	f := vm.File{Dev: vm.Dev{Minor: 1}, Inode: uint64(n), Path: "/dev/zero (deleted)"}
	switch n {
	case 1:
		f.Path = "/1"
	case 2:
		f.Path = "/2"
	case 3:
		f.Path = "/3"
	default:
		switch {
		case n&segment != 0:
			f.Path = "/SYSV00000000 (deleted)"
		case n&ofRing != 0:
			f.Path = "/[aio] (deleted)"
		}
	}
	return f
}

// PageSize implements mm.View.
func (k *kernel) PageSize(vm.Mapping) uint64 { return vm.PageSize }

// gap finds a free place of n pages in the arena, -1 for none.
func (k *kernel) gap(rng *dice, n int) int {
	first := rng.IntN(arenaEnd)
	for i := range arenaEnd {
		at := (first + i) % arenaEnd
		if at+n <= arenaEnd && k.mapped&span(at, at+n) == 0 {
			return at
		}
	}
	return -1
}

// grow lets the stack grow by a page fault, where it can.
func (k *kernel) grow() {
	if !k.has(stackTop-1) || !k.pages[stackTop-1].growsDown {
		return
	}
	low := stackTop - 1
	for low > 0 && k.has(low-1) && k.pages[low-1].growsDown {
		low--
	}
	if low > stackLow && !k.has(low-1) {
		p := k.pages[low]
		p.by, p.grown, p.split = 0, true, false
		k.put(low-1, p)
	}
}

// matches reports whether a ledger's entry says of page i, which is mapped, what the kernel has.
func (p *page) matches(e *ledger.Entry, i int) bool {
	if p.perms != e.Perms {
		return false
	}
	if p.file == 0 {
		return !e.File.Backed()
	}
	return uint64(p.file) == e.File.Inode && uint64(p.offset)*vm.PageSize == e.Offset+addr(i)-e.Start
}

const (
	noErr  = syscall.Errno(0)
	eNoMem = syscall.ENOMEM
	eInval = syscall.EINVAL
	eExist = syscall.EEXIST
	eFault = syscall.EFAULT
	eAcces = syscall.EACCES
	eIntr  = syscall.EINTR

	refusal = ^uint64(0) - uint64(eAcces) + 1 // what a call returns that a filter of the program has answered with it
)
