package analysis

import (
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

// TestPartsAddUp: whatever pieces a counted range is in, their shares are what was counted, in whole pages, and what is a part of resident
// memory is no more than that.
func TestPartsAddUp(t *testing.T) {
	whole := vm.Range{Start: 0x7f0000000000, End: 0x7f0000000000 + 37<<12}
	for pss := int64(0); pss <= 23<<12; pss += 1 << 10 {
		partsAddUp(t, whole, usage{asked: 37 << 12, rss: 23 << 12, pss: pss, dirty: 7 << 12, swap: 1 << 12, shared: 3 << 12, huge: 23 << 12, locked: 2 << 12})
	}
	partsAddUp(t, whole, usage{asked: 37 << 12, swap: 5 << 12})
}

func partsAddUp(t *testing.T, whole vm.Range, f usage) {
	for step := uint64(1); step <= 37; step++ {
		var sum usage
		for at := whole.Start; at < whole.End; at += step << 12 {
			r := vm.Range{Start: at, End: min(at+step<<12, whole.End)}
			n := f.part(r, whole)
			if n.asked != int64(r.Len()) || n.rss > n.asked || n.rss%vm.PageSize != 0 || max(n.pss, n.dirty, n.shared, n.huge, n.locked) > n.rss || min(n.pss, n.dirty, n.shared, n.huge, n.locked) < 0 {
				t.Errorf("%v of %v: %+v", r, whole, n)
			}
			sum.add(n)
		}
		if sum != f {
			t.Errorf("in pieces of %d pages: %+v, counted were %+v", step, sum, f)
		}
	}
}
