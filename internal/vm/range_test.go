package vm

import "testing"

func TestRangeOf(t *testing.T) {
	for _, c := range []struct {
		addr, length uint64
		want         Range
	}{
		{0x1000, 0x1000, Range{0x1000, 0x2000}},
		{0x1000, 1, Range{0x1000, 0x2000}},
		{0x1000, 0x1001, Range{0x1000, 0x3000}},
		{0x1000, 0, Range{0x1000, 0x1000}},
		{0x1000, 1<<64 - 1, Range{0x1000, 0x1000}},
		{0x1000, 1<<64 - 0x2000, Range{0x1000, 1<<64 - 0x1000}},
		{1<<64 - 0x2000, 0x1000, Range{1<<64 - 0x2000, 1<<64 - 0x1000}},
		{1<<64 - 0x1000, 0x2000, Range{1<<64 - 0x1000, 1<<64 - 0x1000}},
	} {
		if got := RangeOf(c.addr, c.length); got != c.want {
			t.Errorf("RangeOf(%#x, %#x) = %v, want %v", c.addr, c.length, got, c.want)
		}
	}
	if PageUp(1<<64-1) != 0 || PageUp(0x1000) != 0x1000 || PageUp(0x1001) != 0x2000 || PageDown(0x1fff) != 0x1000 {
		t.Error("PageUp or PageDown rounds wrongly")
	}
}

// TestRangeRelations holds every pair of small ranges against the bytes they hold.
func TestRangeRelations(t *testing.T) {
	const n = 5
	var all []Range
	for s := range uint64(n) {
		for e := range uint64(n) {
			all = append(all, Range{s, e})
		}
	}
	for _, a := range all {
		for _, b := range all {
			shared, inB := 0, 0
			for x := range uint64(n) {
				if b.Contains(x) {
					inB++
					if a.Contains(x) {
						shared++
					}
				}
			}
			if got := a.Empty(); got != (a.Start >= a.End) {
				t.Errorf("%v.Empty() = %v", a, got)
			}
			x := a.Intersect(b)
			if shared == 0 && x != (Range{}) || shared > 0 && x.Len() != uint64(shared) {
				t.Errorf("%v.Intersect(%v) = %v", a, b, x)
			}
			if a.Empty() || b.Empty() {
				continue
			}
			if got := a.Overlaps(b); got != (shared > 0) {
				t.Errorf("%v.Overlaps(%v) = %v", a, b, got)
			}
			if got := a.Covers(b); got != (shared == inB) {
				t.Errorf("%v.Covers(%v) = %v", a, b, got)
			}
		}
	}
	if got := (Range{0x1000, 0x7f0000002000}).String(); got != "00001000-7f0000002000" {
		t.Errorf("String() = %q", got)
	}
}
