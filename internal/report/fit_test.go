package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// TestAnswersFit: no line of a table is wider than the terminal, unless a single name is.
func TestAnswersFit(t *testing.T) {
	for _, width := range []int{80, 100, 160} {
		for name, answer := range answers {
			if name == "json" || name == "maps" || name == "blame" || name == "diff" {
				continue // stacks, and texts for programs
			}
			for line := range strings.Lines(string(answer(t, "testdata/case.jsonl", text.Style{Width: width, Log: "case.jsonl"}))) {
				line = strings.TrimSuffix(line, "\n")
				if strings.HasPrefix(line, "next:") || strings.HasPrefix(line, "pid ") {
					continue
				}
				if n := text.Width(line); n > width {
					t.Errorf("%s: width %d: %d columns: %s", name, width, n, line)
				}
			}
		}
	}
}

// TestSummaryFits holds that no line of a table is wider than the terminal.
func TestSummaryFits(t *testing.T) {
	for _, width := range []int{80, 100, 200} {
		var b bytes.Buffer
		feed(t, "testdata/case.jsonl", newSummary(&b, "", text.Style{Width: width}))
		for line := range strings.Lines(b.String()) {
			line = strings.TrimSuffix(line, "\n")
			if !strings.HasPrefix(line, "vmblame:") && text.Width(line) > width {
				t.Errorf("width %d: %d columns: %s", width, text.Width(line), line)
			}
		}
		for _, word := range []string{"mapped", "explained", "luaL_loadfilex"} {
			if !strings.Contains(b.String(), word) {
				t.Errorf("width %d: %q is missing", width, word)
			}
		}
	}
}

// TestColour: colours only where they are asked for.
func TestColour(t *testing.T) {
	for name, answer := range answers {
		if name == "maps" || name == "json" {
			continue
		}
		log := "testdata/case.jsonl"
		if name == "failed" {
			log = "testdata/calls.jsonl" // in the other one no call failed
		}
		plain := answer(t, log, text.Style{Width: 100})
		if bytes.Contains(plain, []byte("\x1b")) {
			t.Errorf("%s: colours unasked", name)
		}
		if !bytes.Contains(answer(t, log, text.Style{Width: 100, Color: true}), []byte("\x1b")) {
			t.Errorf("%s: no colours", name)
		}
	}
}

// TestSimilar: parts that look alike on a terminal become one, and lose no byte.
func TestSimilar(t *testing.T) {
	part := func(label, part string, bytes int64, calls ...string) analysis.Row {
		return analysis.Row{Label: label, Part: part, Who: analysis.Who{Calls: calls, Keep: 1}, Totals: analysis.Totals{Reserved: bytes, Count: 1}}
	}
	list := mergeSimilar([]analysis.Row{part("of thread 1 a", "", 1, "f", "main"), part("of thread 2 b", "", 2, "f", "main"), part("rtree", "rtree", 4, "f", "main"), part("of thread 3 c", "", 8, "g", "main")})
	if len(list) != 3 || list[0].Reserved != 3 || list[0].Label != "2 of these" || list[1].Label != "rtree" {
		t.Errorf("%+v", list)
	}
}
