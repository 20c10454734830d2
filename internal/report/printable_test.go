package report

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestHostileNames: whatever threads, files and functions are called, no view writes a control character of
// theirs, and none breaks a line.
func TestHostileNames(t *testing.T) {
	// Every word of a log that is not one of the format's own gets something hostile behind it.
	log0, err := os.ReadFile("testdata/case.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`"(name|path|function|file|exe|guess|text|kernel|MALLOC_ARENA_MAX)":"([^"]+)"`)
	hostile := names.ReplaceAll(log0, []byte(`"$1":"$2\u001b[2Jx\ny\u202e\u009b\u0007"`))
	log := filepath.Join(t.TempDir(), "case.jsonl")
	if err := os.WriteFile(log, hostile, 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(name string, got []byte) {
		t.Helper()
		for line := range strings.Lines(string(got)) {
			for _, r := range strings.TrimSuffix(line, "\n") {
				if !unicode.IsPrint(r) && r != '\u00a0' {
					t.Errorf("%s: %U in %q", name, r, line)
					return
				}
			}
			if strings.HasPrefix(line, "y") {
				t.Errorf("%s: a name has broken a line: %q", name, line)
			}
		}
	}
	for name, answer := range answers {
		if name == "json" || name == "maps" {
			continue
		}
		for _, l := range []text.Style{{Width: 80}, {Width: 160}, {Whole: true}} {
			out, _, _ := bytes.Cut(answer(t, log, l), []byte("\n{\n")) // diff has its JSON behind it
			check(name, out)
		}
	}
	s := state(t, log, analysis.Moment{})
	x := mapped(s)[0]
	check("blame", Blame(s.Blame(analysis.Question{Range: vm.Range{Start: x.Start, End: x.Start + 1}}), text.Style{Whole: true}))
	check("blame", Blame(s.Blame(analysis.Question{Rows: []vm.MapRow{{Range: x.Range, Perms: "\x1b[1", Path: "/\x1b[31m\xff"}}}), text.Style{Whole: true}))
	h, err := analysis.ReadHistory(opener(log), analysis.Moment{}, nil, x.Start, analysis.HistoryOptions{Calls: true, Stacks: true})
	if err != nil {
		t.Fatal(err)
	}
	check("history", History(h, text.Style{Whole: true}))
	for name, view := range map[string]func(w io.Writer) eventlog.Sink{
		"live":    func(w io.Writer) eventlog.Sink { return NewLive(w, text.Style{Whole: true}) },
		"bound":   func(w io.Writer) eventlog.Sink { return NewBound(w, 1<<20, text.Style{}) },
		"summary": func(w io.Writer) eventlog.Sink { return newSummary(w, "log", text.Style{Width: 100}) },
		"whole":   func(w io.Writer) eventlog.Sink { return newSummary(w, "log", text.Style{Whole: true}) },
	} {
		var b bytes.Buffer
		feed(t, log, view(&b))
		if b.Len() == 0 {
			t.Errorf("%s: nothing", name)
		}
		check(name, b.Bytes())
	}
	if j := string(asJSON(t, s.Report(analysis.ReportOptions{By: analysis.ByThread}))); !strings.Contains(j, `\u001b[2Jx\ny`) {
		t.Error("JSON has other names than the log")
	}
}
