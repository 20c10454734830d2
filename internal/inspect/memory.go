package inspect

import (
	"encoding/binary"

	"github.com/vmblame/vmblame/internal/vm"
)

// Memory gives access to the bytes of a running process or a core file.
type Memory interface {
	// ReadPages fills p, whole pages, from addr on, and returns how many bytes it has read.
	ReadPages(p []byte, addr uint64) int
	// Resident yields the parts of r that are in memory, ascending.
	Resident(r vm.Range) func(yield func(vm.Range) bool)
}

const (
	// windowPages is for how many pages residency is asked at once, runPages how many are read at once in sequential
	// reads; other pages are read one by one.
	windowPages = 512
	runPages    = 16
	windowSize  = windowPages * vm.PageSize
	// cachePages bounds what one look keeps of the process's memory: 64 MiB; cacheWindows what it keeps of where
	// there is memory: 6 MiB.
	cachePages   = 16 << 10
	cacheWindows = 64 << 10
)

// limits bound one look, whatever memory contains. Beyond them memory stays unknown; a process with 100 GiB of heap
// stays far below.
type limits struct {
	reads, pages, windows int    // reads, pages that are fetched, questions what is in memory
	visits                int    // rows looked at to find what a range contains
	searched              uint64 // bytes of address space searched for objects at aligned addresses
}

// usual are the limits of a look: half a second of each. Kernels before 6.7 have a word for each page that is searched.
var usual = limits{reads: 1 << 24, pages: 1 << 18, windows: 1 << 18, visits: 1 << 24, searched: 8 << 40}

type page [vm.PageSize]byte

// window has a bit for each page of windowSize bytes: whether it is in memory.
type window [windowPages / 64]uint64

// has reports whether page i of the window is resident.
func (w *window) has(i uint64) bool { return w[i/64]&(1<<(i%64)) != 0 }

// reader reads a Memory through a cache: a page is read once, unless forget drops it.
type reader struct {
	mem     Memory
	end     uint64           // the end of the highest mapping
	pages   map[uint64]*page // nil for one that could not be read
	windows map[uint64]*window
	last    *page
	lastAt  uint64
	passing page // the page that glance has read

	left limits
}

// newReader returns a reader of m, where nothing is mapped from end on.
func newReader(m Memory, end uint64, left limits) *reader {
	return &reader{mem: m, end: end, left: left, pages: map[uint64]*page{}, windows: map[uint64]*window{}}
}

// spent reports whether one of the limits is reached.
func (r *reader) spent() bool { return r.left.windows < 0 || r.left.pages < 0 || r.left.reads < 0 }

// window returns which pages around addr are resident.
func (r *reader) window(addr uint64) *window {
	at := addr &^ (windowSize - 1)
	w := r.windows[at]
	if w == nil {
		if len(r.windows) >= cacheWindows {
			clear(r.windows)
		}
		w = &window{}
		if r.left.windows--; r.left.windows < 0 {
			return w
		}
		r.windows[at] = w
		for x := range r.mem.Resident(vm.Range{Start: at, End: min(at+windowSize, r.end)}) {
			for i := (x.Start - at) / vm.PageSize; i < (x.End-at)/vm.PageSize; i++ {
				w[i/64] |= 1 << (i % 64)
			}
		}
	}
	return w
}

// page returns the page at a multiple of its size, nil if it is not resident or cannot be read.
func (r *reader) page(at uint64) *page {
	if r.left.reads--; r.left.reads < 0 {
		return nil
	}
	if r.last != nil && r.lastAt == at {
		return r.last
	}
	p, seen := r.pages[at]
	if !seen {
		p = r.readPage(at)
	}
	r.last, r.lastAt = p, at
	return p
}

func (r *reader) readPage(at uint64) *page {
	if len(r.pages) >= cachePages {
		clear(r.pages)
	}
	w := r.window(at)
	i := at % windowSize / vm.PageSize
	if !w.has(i) {
		r.pages[at] = nil
		return nil
	}
	n := uint64(1)
	if r.last != nil && r.lastAt+vm.PageSize == at {
		for n < runPages && i+n < windowPages && w.has(i+n) {
			n++
		}
	}
	if r.left.pages -= int(n); r.left.pages < 0 {
		return nil
	}
	buf := make([]byte, n*vm.PageSize)
	got := uint64(max(0, min(r.mem.ReadPages(buf, at), len(buf)))) / vm.PageSize
	for k := range max(got, 1) {
		r.pages[at+k*vm.PageSize] = nil
		if k < got {
			r.pages[at+k*vm.PageSize] = (*page)(buf[k*vm.PageSize:])
		}
	}
	return r.pages[at]
}

// read fills p from addr on and reports whether all of it is resident and could be read.
func (r *reader) read(p []byte, addr uint64) bool {
	if addr >= r.end || uint64(len(p)) > r.end-addr {
		return false
	}
	for len(p) > 0 {
		off := addr % vm.PageSize
		from := r.page(addr - off)
		if from == nil {
			return false
		}
		n := copy(p, from[off:])
		p, addr = p[n:], addr+uint64(n)
	}
	return true
}

// word reads the 64-bit word at addr.
func (r *reader) word(addr uint64) (uint64, bool) {
	var w [1]uint64
	ok := r.fill(w[:], addr)
	return w[0], ok
}

// half reads the 32-bit word at addr.
func (r *reader) half(addr uint64) (uint32, bool) {
	var b [4]byte
	ok := r.read(b[:], addr)
	return binary.LittleEndian.Uint32(b[:]), ok
}

// words reads n words from addr on; it returns nil if one of them cannot be read.
func (r *reader) words(addr uint64, n int) []uint64 {
	w := make([]uint64, n)
	if !r.fill(w, addr) {
		return nil
	}
	return w
}

// fill is words into memory that the caller has, for those who ask at many places; it reports whether all could be read.
func (r *reader) fill(w []uint64, addr uint64) bool {
	if addr >= r.end || uint64(len(w)) > (r.end-addr)/8 {
		return false
	}
	for len(w) > 0 {
		off := addr % vm.PageSize
		n := min(int((vm.PageSize-off)/8), len(w))
		if n == 0 { // one that lies across the end of a page
			var b [8]byte
			if !r.read(b[:], addr) {
				return false
			}
			w[0], n = binary.LittleEndian.Uint64(b[:]), 1
		} else {
			from := r.page(addr - off)
			if from == nil {
				return false
			}
			for i := range w[:n] {
				w[i] = binary.LittleEndian.Uint64(from[off+8*uint64(i):])
			}
		}
		w, addr = w[n:], addr+8*uint64(n)
	}
	return true
}

// glance is fill for one place on a page from which nothing else is needed: a page that is not in the cache is read but
// not added to it. It reports whether the words could be read.
func (r *reader) glance(w []uint64, addr uint64) bool {
	at, off := vm.PageDown(addr), addr%vm.PageSize
	if _, seen := r.pages[at]; seen || addr >= r.end || off%8 != 0 || uint64(len(w)) > (vm.PageSize-off)/8 {
		return r.fill(w, addr)
	}
	r.left.reads--
	if r.left.reads < 0 || !r.window(at).has(at%windowSize/vm.PageSize) {
		return false
	}
	if r.left.pages--; r.left.pages < 0 || r.mem.ReadPages(r.passing[:], at) < len(r.passing) {
		return false
	}
	for i := range w {
		w[i] = binary.LittleEndian.Uint64(r.passing[off+8*uint64(i):])
	}
	return true
}

// upTo reads n words or, where not all can be read, half as many, and so on.
func (r *reader) upTo(addr uint64, n int) []uint64 {
	for ; n >= 8; n /= 2 {
		if w := r.words(addr, n); w != nil {
			return w
		}
	}
	return nil
}
