package inspect

import (
	"encoding/binary"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

// counted is memory that counts how often it is read.
type counted struct {
	flat
	reads *int
}

func (c counted) ReadPages(p []byte, addr uint64) int {
	*c.reads++
	return c.flat.ReadPages(p, addr)
}

// TestGlance: a glance sees what a read sees and leaves no page behind; of a page that is known nothing is read.
func TestGlance(t *testing.T) {
	const from = 0x10000
	mem := counted{flat{from, make([]byte, 4*vm.PageSize)}, new(int)}
	for i := range len(mem.b) / 8 {
		binary.LittleEndian.PutUint64(mem.b[8*i:], uint64(i)*0x1234567)
	}
	r := newReader(mem, from+4*vm.PageSize, usual)
	for _, addr := range []uint64{from, from + 8, from + vm.PageSize - 16, from + vm.PageSize - 8, from + vm.PageSize - 4, from + 12, from + 4*vm.PageSize - 16, from + 4*vm.PageSize - 8, from + 4*vm.PageSize, 1 << 62} {
		var seen, read [2]uint64
		ok, want := r.glance(seen[:], addr), newReader(mem, from+4*vm.PageSize, usual).fill(read[:], addr)
		if ok != want || ok && seen != read {
			t.Errorf("%#x: %v %x, want %v %x", addr, ok, seen, want, read)
		}
	}
	r = newReader(mem, from+4*vm.PageSize, usual)
	var w [2]uint64
	if r.glance(w[:], from+8); len(r.pages) != 0 {
		t.Errorf("%d pages are left of a glance", len(r.pages))
	}
	r.fill(w[:], from)
	before := *mem.reads
	if !r.glance(w[:], from+16) || *mem.reads != before {
		t.Errorf("%d reads of a page that was read", *mem.reads-before)
	}
}
