package order

import (
	"slices"
	"testing"
)

// Calls come in any order and go in that of their stamps, as far as the source is complete and nothing older is
// under way.
func TestStamps(t *testing.T) {
	var s Stamps[string]
	for _, c := range []struct {
		stamp uint64
		call  string
	}{{30, "c"}, {10, "a"}, {20, "b"}, {30, "d"}} {
		s.Add(c.stamp, c.call)
	}
	if got := slices.Collect(s.All); !slices.Equal(got, []string{"a", "b", "c", "d"}) || s.Len() != 4 || s.Last() != 30 {
		t.Fatalf("%q, the last at %d", got, s.Last())
	}
	var settled []string
	settle := func(complete, open uint64) {
		for {
			if c, ok := s.Due(complete, open); !ok || c != s.Take() {
				return
			} else {
				settled = append(settled, c)
			}
		}
	}
	for _, c := range []struct {
		complete, open uint64
		want           int
	}{{9, 0, 0}, {10, 5, 0}, {25, 10, 1}, {25, 15, 1}, {25, 0, 2}, {29, 0, 2}, {30, 0, 4}} {
		if settle(c.complete, c.open); len(settled) != c.want {
			t.Errorf("complete up to %d, open %d: %q", c.complete, c.open, settled)
		}
	}
	if s.Len() != 0 || s.Last() != 0 {
		t.Error("something is left")
	}
}
