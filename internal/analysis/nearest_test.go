package analysis

import (
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

// TestPartsAddUp: whatever pieces a counted range is in, their shares are what was counted, and whole pages but for the last.
func TestPartsAddUp(t *testing.T) {
	whole := vm.Range{Start: 0x7f0000000000, End: 0x7f0000000000 + 37<<12}
	f := usage{asked: 37 << 12, rss: 23 << 12, pss: 22<<12 + 5, dirty: 7 << 12, swap: 1 << 12, shared: 3 << 12, huge: 0, locked: 2 << 12}
	for step := uint64(1); step <= 37; step++ {
		var sum usage
		for at := whole.Start; at < whole.End; at += step << 12 {
			r := vm.Range{Start: at, End: min(at+step<<12, whole.End)}
			n := f.part(r, whole)
			if n.asked != int64(r.Len()) || n.rss > n.asked || n.rss%vm.PageSize != 0 {
				t.Errorf("%v of %v: %+v", r, whole, n)
			}
			sum.add(n)
		}
		if sum != f {
			t.Errorf("in pieces of %d pages: %+v, counted were %+v", step, sum, f)
		}
	}
}
