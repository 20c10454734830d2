package report

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/internal/vm"
)

// styles are ways to look in which text uses different parts of an answer.
var styles = []text.Style{
	{Whole: true, Log: "log"}, {Width: 80, Log: "log"}, {Width: 120, Color: true, Log: "log@peak"}, {Whole: true, Bytes: true},
}

// sameAgain fails where an answer read back from its JSON is another one, or has another text: where its text
// shows anything that its JSON does not have.
func sameAgain[T any](t *testing.T, what string, v *T, tell func(*T, text.Style) []byte) {
	t.Helper()
	again := decoded(t, v)
	if a, b := asJSON(t, v), asJSON(t, again); !bytes.Equal(a, b) {
		t.Errorf("%s: read back it is another answer:\n%s\n%s", what, a, b)
	}
	for _, s := range styles {
		a, b := tell(v, s), tell(again, s)
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
	logs := testenv.Files(t, "testdata/*.jsonl")
	for _, log := range logs {
		t.Run(filepath.Base(log), func(t *testing.T) {
			end := state(t, log, analysis.Moment{})
			for _, at := range []analysis.Moment{{}, {Kind: analysis.AtPeak}, {Kind: analysis.AtSeq, Seq: end.Seq / 2}, {Kind: analysis.AtTime, T: end.T / 2}} {
				roundTripAt(t, log, at, end)
			}
			for _, other := range logs {
				sameAgain(t, "diff with "+other, analysis.Compare(end, state(t, other, analysis.Moment{}), [2]string{log, other}), Diff)
			}
		})
	}
}

func roundTripAt(t *testing.T, log string, at analysis.Moment, end *analysis.State) {
	s := state(t, log, at)
	// What is not mapped, and some of what is: its first byte, and it with what lies beside it.
	asked := []vm.Range{{Start: 0x1000, End: 0x1001}, {Start: 0x1000, End: 0x3000}}
	all := mapped(s)
	for i, m := range all {
		if i%(len(all)/12+1) == 0 || i == len(all)-1 {
			asked = append(asked, vm.Range{Start: m.Start, End: m.Start + 1}, vm.Range{Start: m.Start - 1, End: m.End + vm.PageSize})
		}
	}
	questions := []analysis.Question{{Range: vm.Range{End: vm.AddressMax}, Stacks: true}, {Range: vm.Range{End: vm.AddressMax}, Frames: true}}
	for _, r := range asked {
		questions = append(questions, analysis.Question{Range: r}, analysis.Question{Rows: []vm.MapRow{{Range: r, Perms: "rw-p", Resident: 4096, Path: "/x y"}, {Range: r, Resident: -1}}})
	}
	for _, by := range []analysis.By{analysis.ByKind, analysis.ByStack, analysis.ByFile, analysis.ByThread, analysis.ByFunction} {
		for _, sort := range []analysis.Sort{analysis.SortReserved, analysis.SortResident, analysis.SortVMAs} {
			sameAgain(t, "report by "+string(by), s.Report(analysis.ReportOptions{By: by, Sort: sort, MinSize: 128 << 10}), Report)
		}
	}
	for _, q := range questions {
		sameAgain(t, "blame", s.Blame(q), Blame)
	}
	for _, r := range asked {
		for _, o := range []analysis.HistoryOptions{{}, {Calls: true}, {Calls: true, Stacks: true}} {
			h, err := analysis.ReadHistory(opener(log), at, nil, r.Start, o)
			if err != nil {
				t.Fatal(err)
			}
			sameAgain(t, "history", h, History)
		}
	}
	sameAgain(t, "failed", s.Failed(), Failed)
	names := [2]string{"before", "a rather long name of a log, which is cut"}
	sameAgain(t, "diff", analysis.Compare(s, end, names), Diff)
	sameAgain(t, "diff", analysis.Compare(end, s, names), Diff)
}
