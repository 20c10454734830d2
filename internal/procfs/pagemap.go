package procfs

import (
	"cmp"
	"encoding/binary"
	"os"
	"slices"
	"syscall"
	"unsafe"

	"github.com/vmblame/vmblame/internal/kernelfile"
	"github.com/vmblame/vmblame/internal/vm"
)

// Pagemap tells which pages are in memory, by /proc/TID/pagemap, opened at the first query
// (Documentation/admin-guide/mm/pagemap.rst). It is not safe for concurrent use.
type Pagemap struct {
	TID int

	file   *os.File
	noScan bool         // the kernel has no PAGEMAP_SCAN (Linux 6.7)
	looked uint64       // bytes of addresses that were read about without it
	spent  bool         // more were asked about than may be
	vec    []pageRegion // for the next walk; nil during a walk, since its yield may start another
}

// Close gives the descriptor back, if there is one.
func (p *Pagemap) Close() {
	if p.file != nil {
		p.file.Close()
	}
}

// pmScanArg and pageRegion are structs of include/uapi/linux/fs.h.
type pmScanArg struct {
	size, flags, start, end, walkEnd             uint64
	vec                                          uintptr
	vecLen, maxPages                             uint64
	inverted, categories, anyCategories, results uint64
}

type pageRegion struct{ start, end, categories uint64 }

const (
	pagemapScan   = 0xc0606610 // _IOWR('f', 16, struct pm_scan_arg)
	pageIsPresent = 1 << 3
	pageIsSwapped = 1 << 4
	pageIsZero    = 1 << 5 // the page of zeroes that all share who have only read

	// The bits of an entry of the file itself.
	entryPresent = 1 << 63
	entrySwapped = 1 << 62

	entriesAtOnce = 32 << 10 // bytes

	// readable is how much of an address space is looked at without PAGEMAP_SCAN: the file has eight bytes for each page, of holes, too.
	// It is 256 MiB of the file, which take a quarter of a second; all of the terabytes that a sanitizer reserves take a minute. Ranges of
	// mostEntries do not count.
	readable = 128 << 30
)

// Divide counts, for each of several parts of a row of smaps, the pages that are in memory or in swap. pages is the total by the row's own figures. It
// reports false if the kernel has no PAGEMAP_SCAN and a part other than the longest is too long to read; the longest gets what the others lack.
func (p *Pagemap) Divide(parts []vm.Range, pages uint64) ([]uint64, bool) {
	n := make([]uint64, len(parts))
	order := make([]int, len(parts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(parts[i].Len(), parts[j].Len()) })
	for k, i := range order {
		if p.noScan && k == len(parts)-1 { // what the others do not have
			n[i] = pages
			break
		}
		n[i] = p.Present(parts[i])
		if p.spent {
			return nil, false
		}
		pages -= min(n[i], pages)
	}
	return n, true
}

// Present counts the pages of r that are in memory or in swap, 0 where that cannot be read.
func (p *Pagemap) Present(r vm.Range) (n uint64) {
	p.walk(r, pageIsPresent|pageIsSwapped, true, func(x vm.Range) bool {
		n += x.Len() / vm.PageSize
		return true
	})
	return n
}

// mostEntries bounds what InMemory reads where the kernel has no PAGEMAP_SCAN: the entries of 64 MiB.
const mostEntries = 64 << 20 / vm.PageSize

// InMemory counts the bytes of r that are in memory, as the kernel's Rss does; ok is false where that cannot be read. With PAGEMAP_SCAN it walks
// the same tables as a call that gives the pages back. Without (before Linux 6.7) it counts pages of zeroes that were only read, too, and nothing
// of a range of more than 64 MiB.
func (p *Pagemap) InMemory(r vm.Range) (bytes int64, ok bool) {
	ok = p.walk(r, pageIsPresent|pageIsZero, false, func(x vm.Range) bool {
		bytes += int64(x.Len())
		return true
	})
	return bytes, ok
}

// Resident yields the parts of r that are in memory, ascending, nothing where that cannot be read. With
// PAGEMAP_SCAN the work grows with what the page tables hold and not with r; without it nothing is yielded any more once more
// than 128 GiB have been asked about.
func (p *Pagemap) Resident(r vm.Range) func(yield func(vm.Range) bool) {
	return func(yield func(vm.Range) bool) { p.walk(r, pageIsPresent, true, yield) }
}

// walk yields the parts of r whose pages are in one of the categories; with pageIsZero among them the page of zeroes is left out. Without
// PAGEMAP_SCAN a range of more than mostEntries is looked at only with long. It reports whether all of r was seen.
func (p *Pagemap) walk(r vm.Range, categories uint64, long bool, yield func(vm.Range) bool) bool {
	without := categories & pageIsZero
	categories &^= without
	if p.file == nil {
		f, err := kernelfile.Open(path(p.TID, "pagemap"))
		if err != nil {
			return false
		}
		p.file = f
	}
	vec := p.vec
	p.vec = nil
	if vec == nil {
		vec = make([]pageRegion, 256)
	}
	defer func() { p.vec = vec }()
	for !p.noScan && r.Start < r.End {
		arg := pmScanArg{start: r.Start, end: r.End, vec: uintptr(unsafe.Pointer(&vec[0])), vecLen: uint64(len(vec)),
			inverted: without, categories: without, anyCategories: categories, results: categories}
		arg.size = uint64(unsafe.Sizeof(arg))
		n, _, e := syscall.Syscall(syscall.SYS_IOCTL, p.file.Fd(), pagemapScan, uintptr(unsafe.Pointer(&arg)))
		switch e {
		case 0:
		case syscall.ENOTTY, syscall.EINVAL, syscall.ENOSYS, syscall.EPERM:
			p.noScan = true
			continue
		default:
			return false
		}
		for i := range vec[:n] {
			if !yield(vm.Range{Start: vec[i].start, End: vec[i].end}) {
				return false
			}
		}
		if arg.walkEnd <= r.Start {
			return false
		}
		r.Start = arg.walkEnd
	}
	if !p.noScan {
		return true
	}
	if r.Len()/vm.PageSize > mostEntries {
		if !long {
			return false
		}
		if p.spent = p.spent || p.looked+r.Len() > readable; p.spent {
			return false
		}
		p.looked += r.Len()
	}
	return p.read(r, categories, yield)
}

// read does what walk does, but from the entries of the file, one for each page of r. It reports whether it came to the
// end of r.
func (p *Pagemap) read(r vm.Range, categories uint64, yield func(vm.Range) bool) bool {
	var mask uint64
	if categories&pageIsPresent != 0 {
		mask |= entryPresent
	}
	if categories&pageIsSwapped != 0 {
		mask |= entrySwapped
	}
	run := vm.Range{}
	buf := make([]byte, min(entriesAtOnce, r.Len()/vm.PageSize*8))
	for at := r.Start; at < r.End; {
		want := min(uint64(len(buf)), (r.End-at)/vm.PageSize*8)
		got, err := p.file.ReadAt(buf[:want], int64(at/vm.PageSize*8))
		for i := 0; i+8 <= got; i += 8 {
			if binary.LittleEndian.Uint64(buf[i:])&mask == 0 {
				continue
			}
			page := at + uint64(i)/8*vm.PageSize
			if run.End != page {
				if !run.Empty() && !yield(run) {
					return false
				}
				run.Start = page
			}
			run.End = page + vm.PageSize
		}
		if err != nil || got < 8 {
			return false
		}
		at += uint64(got) / 8 * vm.PageSize
	}
	return run.Empty() || yield(run)
}
