package classify

import (
	"math/rand/v2"
	"testing"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestRun holds run against the plain reading of what it says, whatever is claimed between two questions.
func TestRun(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		events := []*Event{nil, {Seq: 1}, {Seq: 2, Over: &Event{Seq: 1}}}
		s := Space{Event: func(seq uint64) *Event { return events[seq] }}
		at := uint64(0x1000)
		for range 40 {
			if r.IntN(8) == 0 {
				at += 0x1000
			}
			e := ledger.Entry{Mapping: vm.Mapping{Range: vm.Range{Start: at, End: at + 0x1000}}}
			e.Origin.Event = [...]uint64{0, 1, 1, 1, 1, 1, 2, 2}[r.IntN(8)]
			s.Entries = append(s.Entries, e)
			at += 0x1000
		}
		v := newView(Known(), &s)
		for range 200 {
			i := r.IntN(len(s.Entries))
			if v.claimed(i) {
				continue
			}
			if r.IntN(20) == 0 {
				v.claim(i, Verdict{Kind: Unknown, Group: r.IntN(2)})
				continue
			}
			want := i + 1
			for root := v.root(i); root != nil && want < len(s.Entries) && v.beside(want) && !v.claimed(want) && v.root(want) == root; {
				want++
			}
			if got := v.run(i); got != want {
				t.Fatalf("the run from %d ends at %d, want %d", i, got, want)
			}
		}
	}
}
