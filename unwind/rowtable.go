package unwind

import (
	"maps"
	"math/bits"
	"slices"

	"github.com/vmblame/vmblame/internal/vm"
)

// rowTable maps pcs to rows: open addressing, since a walk asks it once a frame. Parent and child spaces may share
// it; the one that changes it copies it first.
type rowTable struct {
	keys     []uint64 // 0 free, deadKey deleted
	rows     []row
	used     int // slots that are not free
	live     int
	granules map[uint64]int // live rows by pc>>granuleBits, so that invalidation need not look at all of them
	shared   bool
}

const (
	deadKey     = ^uint64(0)
	granuleBits = 16
	minSlots    = 64
	// maxRows bounds the table: a program that keeps generating code would let it grow for ever.
	maxRows = 1 << 16
)

// rowKey is never 0 nor deadKey for the addresses of user space. The same pc has two rows: as a return
// address it is looked up one byte lower.
func rowKey(at vm.CodeAddr) uint64 {
	k := at.PC<<1 + 2
	if at.Call {
		k++
	}
	return k
}

func keyAddr(key uint64) vm.CodeAddr { return vm.CodeAddr{PC: (key - 2) >> 1, Call: key&1 != 0} }

func newRowTable() *rowTable {
	return &rowTable{keys: make([]uint64, minSlots), rows: make([]row, minSlots), granules: make(map[uint64]int)}
}

func (t *rowTable) slot(key uint64) int {
	return int(key * 0x9e3779b97f4a7c15 >> (64 - uint(bits.TrailingZeros(uint(len(t.keys))))))
}

// get returns the row, nil if there is none. It stays valid until the table is changed.
func (t *rowTable) get(key uint64) *row {
	mask := len(t.keys) - 1
	for i := t.slot(key); ; i = (i + 1) & mask {
		switch t.keys[i] {
		case key:
			return &t.rows[i]
		case 0:
			return nil
		}
	}
}

// put adds a row that is not there yet. The table must not be shared.
func (t *rowTable) put(key uint64, r row) *row {
	if (t.used+1)*4 > len(t.keys)*3 {
		t.rehash()
	}
	mask := len(t.keys) - 1
	i := t.slot(key)
	for t.keys[i] != 0 {
		i = (i + 1) & mask
	}
	t.keys[i], t.rows[i] = key, r
	t.used++
	t.live++
	t.granules[keyAddr(key).PC>>granuleBits]++
	return &t.rows[i]
}

// rehash drops deleted slots and makes room for as many rows again; a table with maxRows rows is emptied.
func (t *rowTable) rehash() {
	old := *t
	if t.live >= maxRows {
		*t = *newRowTable()
		return
	}
	n := minSlots
	for n < (t.live+1)*2 {
		n *= 2
	}
	t.keys, t.rows = make([]uint64, n), make([]row, n)
	t.used = t.live
	for i, key := range old.keys {
		if key == 0 || key == deadKey {
			continue
		}
		j := t.slot(key)
		for t.keys[j] != 0 {
			j = (j + 1) & (n - 1)
		}
		t.keys[j], t.rows[j] = key, old.rows[i]
	}
}

// hits reports whether any row is for a pc near r.
func (t *rowTable) hits(r vm.Range) bool {
	first, last := r.Start>>granuleBits, (r.End-1)>>granuleBits
	// The row of a return address right after r was looked up inside r.
	after := (r.End) >> granuleBits
	if last-first >= uint64(len(t.granules)) {
		for g := range t.granules {
			if g >= first && g <= after {
				return true
			}
		}
		return false
	}
	for g := first; g <= after; g++ {
		if t.granules[g] > 0 {
			return true
		}
	}
	return false
}

// drop deletes the rows that were looked up in r. The table must not be shared.
func (t *rowTable) drop(r vm.Range) {
	for i, key := range t.keys {
		if key == 0 || key == deadKey {
			continue
		}
		at := keyAddr(key)
		if !r.Contains(at.Lookup()) {
			continue
		}
		t.keys[i], t.rows[i] = deadKey, row{}
		t.live--
		g := at.PC >> granuleBits
		if t.granules[g]--; t.granules[g] == 0 {
			delete(t.granules, g)
		}
	}
}

func (t *rowTable) clone() *rowTable {
	c := *t
	c.keys, c.rows, c.granules, c.shared = slices.Clone(t.keys), slices.Clone(t.rows), maps.Clone(t.granules), false
	return &c
}
