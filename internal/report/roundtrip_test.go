package report

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/internal/vm"
)

// styles are ways to look in which text uses different parts of an answer.
var styles = []text.Style{
	{Whole: true, Log: "log"}, {Width: 80, Log: "log"}, {Width: 120, Color: true, Log: "log@peak"}, {Whole: true, Bytes: true},
}

// told is an answer that can be told to people.
type told[T any] interface {
	*T
	Text(text.Style) []byte
}

// sameAgain fails where an answer read back from its JSON is another one, or has another text: where its text
// shows anything that its JSON does not have.
func sameAgain[T any, P told[T]](t *testing.T, what string, v P) {
	t.Helper()
	again := P(decoded(t, (*T)(v)))
	if a, b := asJSON(t, v), asJSON(t, again); !bytes.Equal(a, b) {
		t.Errorf("%s: read back it is another answer:\n%s\n%s", what, a, b)
	}
	for _, s := range styles {
		a, b := v.Text(s), again.Text(s)
		if len(a) == 0 {
			t.Errorf("%s: no text", what)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s: in the style %+v it has another text:\n%s\nread back:\n%s", what, s, a, b)
		}
	}
}

// TestRoundTrip: answers from every committed log, at every kind of moment and with all options, are told from
// their JSON as they are told at once.
func TestRoundTrip(t *testing.T) {
	logs, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(logs) == 0 {
		t.Fatalf("no logs in testdata (%v)", err)
	}
	for _, log := range logs {
		t.Run(filepath.Base(log), func(t *testing.T) {
			end := scene(t, log, Moment{})
			for _, at := range []Moment{{}, {Kind: AtPeak}, {Kind: AtSeq, Seq: end.Seq / 2}, {Kind: AtTime, T: end.T / 2}} {
				roundTripAt(t, log, at, end)
			}
			for _, other := range logs {
				sameAgain(t, "diff with "+other, Compare(end, scene(t, other, Moment{}), [2]string{log, other}))
			}
		})
	}
}

func roundTripAt(t *testing.T, log string, at Moment, end *Scene) {
	s := scene(t, log, at)
	// Addresses at the start and the end of what is mapped, and the largest range, of each process.
	asked := []vm.Range{{Start: 0x1000, End: 0x1001}, {Start: 0x1000, End: 0x3000}}
	for _, p := range s.processes[:min(len(s.processes), 3)] {
		n := len(p.pieces)
		for _, i := range []int{0, n / 3, n / 2, n - 1} {
			if n > 0 {
				x := p.pieces[i].Range
				asked = append(asked, vm.Range{Start: x.Start, End: x.Start + 1}, vm.Range{Start: x.Start - 1, End: x.End + vm.PageSize})
			}
		}
	}
	questions := []Question{{Range: vm.Range{End: vm.AddressMax}, Stacks: true}, {Range: vm.Range{End: vm.AddressMax}, Frames: true}}
	for _, r := range asked {
		questions = append(questions, Question{Range: r}, Question{Rows: []vm.MapRow{{Range: r, Perms: "rw-p", Resident: 4096, Path: "/x y"}, {Range: r, Resident: -1}}})
	}
	for _, q := range questions {
		sameAgain(t, "blame", s.Blame(q))
	}
	for _, r := range asked {
		for _, o := range []HistoryOptions{{}, {Calls: true}, {Calls: true, Stacks: true}} {
			h, err := ReadHistory(opener(log), at, nil, r.Start, o)
			if err != nil {
				t.Fatal(err)
			}
			sameAgain(t, "history", h)
		}
	}
	names := [2]string{"before", "a rather long name of a log, which is cut"}
	sameAgain(t, "diff", Compare(s, end, names))
	sameAgain(t, "diff", Compare(end, s, names))
}
