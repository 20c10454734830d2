package analysis

import (
	"testing"
)

func TestParseMoment(t *testing.T) {
	for s, want := range map[string]Moment{
		"end": {}, "peak": {Kind: AtPeak}, "1.5s": {Kind: AtTime, T: 1_500_000_000}, "200ms": {Kind: AtTime, T: 200_000_000}, "seq:12": {Kind: AtSeq, Seq: 12},
	} {
		m, err := ParseMoment(s)
		if err != nil || m != want {
			t.Errorf("%s: %+v, %v", s, m, err)
		}
		if again, err := ParseMoment(m.String()); err != nil || again != want {
			t.Errorf("%s: written as %s", s, m)
		}
	}
	for _, s := range []string{"", "now", "-1s", "seq:", "seq:x", "seq:-1", "12"} {
		if m, err := ParseMoment(s); err == nil {
			t.Errorf("%s: %+v", s, m)
		}
	}
}
