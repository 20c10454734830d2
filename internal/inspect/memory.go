package inspect

import (
	"encoding/binary"

	"github.com/vmblame/vmblame/internal/vm"
)

// Memory is where bytes come from: a living process, or a core file.
type Memory interface {
	// ReadPages fills p, whole pages, from addr on, and returns how many bytes it could.
	ReadPages(p []byte, addr uint64) int
	// Resident yields the parts of r that are in memory, ascending.
	Resident(r vm.Range) func(yield func(vm.Range) bool)
}

const (
	blockPages = 16 // read at once
	blockSize  = blockPages * vm.PageSize
	// cacheBlocks bounds what one look keeps of the process's memory: 64 MiB.
	cacheBlocks = 1024
)

// block is some neighbouring pages, of which those of bit i set in have were read.
type block struct {
	have uint32
	data [blockSize]byte
}

// reader reads a Memory through a cache. What it returns is from the first time that a page was looked at;
// forget makes it look again.
type reader struct {
	mem    Memory
	blocks map[uint64]*block
	last   *block
	lastAt uint64
}

func newReader(m Memory) *reader { return &reader{mem: m, blocks: map[uint64]*block{}} }

// forget drops what was read, so that what a process changed meanwhile is seen.
func (r *reader) forget() {
	clear(r.blocks)
	r.last = nil
}

func (r *reader) block(at uint64) *block {
	if r.last != nil && r.lastAt == at {
		return r.last
	}
	b := r.blocks[at]
	if b == nil {
		if len(r.blocks) >= cacheBlocks {
			clear(r.blocks)
		}
		b = &block{}
		r.blocks[at] = b
		for x := range r.mem.Resident(vm.Range{Start: at, End: at + blockSize}) {
			from, to := x.Start-at, x.End-at
			n := uint64(r.mem.ReadPages(b.data[from:to], x.Start))
			for i := from / vm.PageSize; i < (from+n)/vm.PageSize; i++ {
				b.have |= 1 << i
			}
		}
	}
	r.last, r.lastAt = b, at
	return b
}

// read fills p from addr on and reports whether all of it is resident and could be read.
func (r *reader) read(p []byte, addr uint64) bool {
	if addr >= vm.AddressMax || uint64(len(p)) > vm.AddressMax-addr {
		return false
	}
	for len(p) > 0 {
		at := addr &^ (blockSize - 1)
		b := r.block(at)
		off := addr - at
		page := off / vm.PageSize
		if b.have&(1<<page) == 0 {
			return false
		}
		n := copy(p, b.data[off:(page+1)*vm.PageSize])
		p, addr = p[n:], addr+uint64(n)
	}
	return true
}

// word reads the 64-bit word at addr.
func (r *reader) word(addr uint64) (uint64, bool) {
	var b [8]byte
	ok := r.read(b[:], addr)
	return binary.LittleEndian.Uint64(b[:]), ok
}

// half reads the 32-bit word at addr.
func (r *reader) half(addr uint64) (uint32, bool) {
	var b [4]byte
	ok := r.read(b[:], addr)
	return binary.LittleEndian.Uint32(b[:]), ok
}

// words reads n words from addr on, nil where one of them cannot be read.
func (r *reader) words(addr uint64, n int) []uint64 {
	b := make([]byte, 8*n)
	if !r.read(b, addr) {
		return nil
	}
	w := make([]uint64, n)
	for i := range w {
		w[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return w
}
