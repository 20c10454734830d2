package report

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/locale"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/internal/vm"
)

// listener is a language that knows what it could not translate of finished words.
type listener struct {
	text.Words
	unknown map[string]bool
}

func (l *listener) Told(english string) string {
	t := l.Words.Told(english)
	if t == english {
		l.unknown[english] = true
	}
	return t
}

// chinese is the language that is not English.
func chinese(t *testing.T) *listener {
	t.Helper()
	words, err := locale.Named("zh")
	if err != nil {
		t.Fatal(err)
	}
	return &listener{words, map[string]bool{}}
}

// isName: what has no words of ours in it: a name, or the rights and the file of a mapping.
var isName = regexp.MustCompile(`^ *(vdso|MADV_\w+|vvar\w*|SYSV\d+|memfd.*|r--s SYSV00000000 \(deleted\)|[r-][w-][x-][ps] \S+|[r-][w-][x-][ps] -> [r-][w-][x-][ps]|[^ ]+[./][^ ]*)$`)

// TestLiveFits: events as they happen are no wider than a terminal.
func TestLiveFits(t *testing.T) {
	lines := 0
	for _, log := range testenv.Files(t, "testdata/*.jsonl", "../eventlog/testdata/*.jsonl") {
		for _, width := range []int{60, 80, 100, 120, 200} {
			l := text.Style{Width: width}
			if lines%2 == 1 {
				l.Words = chinese(t)
			}
			var b bytes.Buffer
			feed(t, log, NewLive(&b, l))
			for line := range strings.Lines(b.String()) {
				lines++
				if n := text.Width(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("%s: width %d: %d columns: %s", log, width, n, line)
				}
			}
		}
	}
	if lines < 1000 {
		t.Errorf("%d lines", lines)
	}
}

// TestFits: nothing that a view says of any log is wider than the terminal, nor in Chinese, where all that is said but names
// is Chinese.
func TestFits(t *testing.T) {
	lines := 0
	heard := chinese(t)
	defer func() {
		for words := range heard.unknown {
			if !isName.MatchString(words) {
				t.Errorf("no translation of %q", words)
			}
		}
	}()
	for _, log := range testenv.Files(t, "testdata/*.jsonl", "../eventlog/testdata/*.jsonl") {
		end, peak, start := state(t, log, analysis.Moment{}), state(t, log, analysis.Moment{Kind: analysis.AtPeak}), state(t, log, analysis.Moment{Kind: analysis.AtStart})
		reports := map[string]*analysis.Report{}
		for _, by := range []analysis.By{analysis.ByKind, analysis.ByStack, analysis.ByFile, analysis.ByThread, analysis.ByFunction} {
			reports["report --by "+string(by)] = end.Report(analysis.ReportOptions{By: by, Columns: []analysis.Column{analysis.PSS, analysis.Private, analysis.Swap, analysis.SharedPages, analysis.HugePages}})
		}
		reports["report --vmas"] = end.Report(analysis.ReportOptions{Sort: analysis.SortVMAs})
		reports["report @peak"] = peak.Report(analysis.ReportOptions{})
		blame := end.Blame(analysis.Question{Range: vm.Range{End: vm.AddressMax}})
		stacks := end.Blame(analysis.Question{Range: vm.Range{End: vm.AddressMax}, Stacks: true})
		var addresses []*analysis.Blame
		var histories []*analysis.History
		for i, m := range mapped(end) {
			if i%7 != 0 {
				continue
			}
			addresses = append(addresses, end.Blame(analysis.Question{Range: vm.Range{Start: m.Start, End: m.Start + 1}, Frames: true}))
			if len(histories) > 5 {
				continue
			}
			h, err := analysis.ReadHistory(opener(log), analysis.Moment{}, []int{m.pid}, m.Start, analysis.HistoryOptions{Stacks: i%2 == 0, Calls: true})
			if err != nil {
				t.Fatal(err)
			}
			histories = append(histories, h)
		}
		failed := end.Failed()
		growth, err := analysis.ReadGrowth(opener(log), analysis.GrowthOptions{})
		if err != nil {
			t.Fatal(err)
		}
		diff := analysis.Compare(start, end, [2]string{filepath.Base(log) + "@start", filepath.Base(log)})
		recording := analysis.NewRecording(filepath.Base(log))
		feed(t, log, recording)
		summary := recording.Summary()
		summary.Peak = reports["report @peak"]

		for _, width := range []int{60, 80, 100, 120, 200, -60, -80, -120} {
			l := text.Style{Width: width, Log: filepath.Base(log)}
			if width < 0 {
				width, l.Width, l.Words = -width, -width, heard
			}
			for _, rows := range []int{0, 10} {
				l.Rows = rows
				views := map[string][]byte{"blame": Blame(blame, l), "blame --stacks": Blame(stacks, l), "failed": Failed(failed, l), "growth": Growth(growth, l), "diff": Diff(diff, l), "summary": Summary(summary, l)}
				for name, r := range reports {
					views[name] = Report(r, l)
				}
				for i, a := range addresses {
					views[fmt.Sprint("blame of an address ", i)] = Blame(a, l)
				}
				for i, h := range histories {
					views[fmt.Sprint("history ", i)] = History(h, l)
				}
				for name, b := range views {
					for line := range strings.Lines(string(b)) {
						lines++
						if n := text.Width(strings.TrimSuffix(line, "\n")); n > width {
							t.Fatalf("%s: %s: width %d: %d columns: %s", log, name, width, n, line)
						}
					}
				}
			}
		}
	}
	if lines < 100000 {
		t.Errorf("%d lines: too few to have seen anything", lines)
	}
}

// TestOneScreen: of many processes a terminal of 24 lines is shown a table of some and what the largest holds.
func TestOneScreen(t *testing.T) {
	const log = "testdata/children.jsonl"
	recording := analysis.NewRecording(log)
	feed(t, log, recording)
	l := text.Style{Width: 80, Rows: 10, Processes: 1, Log: "children.jsonl"}
	for name, b := range map[string][]byte{"report": Report(state(t, log, analysis.Moment{}).Report(analysis.ReportOptions{}), l), "summary": Summary(recording.Summary(), l)} {
		if n := bytes.Count(b, []byte("\n")); n > 30 {
			t.Errorf("%s: %d lines:\n%s", name, n, b)
		}
		if s := string(b); !strings.Contains(s, "(2 more, smaller ones: ") || strings.Count(s, "WHAT") != 1 || !strings.Contains(s, "pid 102 cc: 9.4 MiB") {
			t.Errorf("%s: the table of processes, or the largest, is not what it should be:\n%s", name, b)
		}
	}
}

// TestProcessesFit: the table of processes is no wider than the terminal, whatever they are called.
func TestProcessesFit(t *testing.T) {
	size := int64(123456789012)
	var list []analysis.ProcessMemory
	for i, name := range []string{"a", strings.Repeat("long-name ", 20), strings.Repeat("预言", 40)} {
		p := analysis.ProcessMemory{PID: 4194304 - i, Name: name, Reserved: size}
		if i > 0 {
			p.Committed, p.Resident, p.Shared, p.VMAs = &size, &size, &size, &size
			p.Largest = &analysis.LargestShare{Label: "glibc malloc arena of thread 31014 " + name, Reserved: size, Resident: &size}
		}
		list = append(list, p)
	}
	maps := int64(65530)
	for _, width := range []int{60, 80, 100, 120, 200} {
		for _, exact := range []bool{false, true} {
			b := Processes(analysis.NewProcesses(list, analysis.SortResident, &maps), text.Style{Width: width, Bytes: exact})
			if n := bytes.Count(b, []byte("\n")); n != len(list)+1 {
				t.Errorf("width %d: %d lines:\n%s", width, n, b)
			}
			for line := range strings.Lines(string(b)) {
				if n := text.Width(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("width %d: %d columns: %s", width, n, line)
				}
			}
		}
	}
}

// TestAddressesStay: at 80 columns blame and history say where.
func TestAddressesStay(t *testing.T) {
	s := state(t, "testdata/case.jsonl", analysis.Moment{})
	l := text.Style{Width: 80, Log: "case.jsonl"}
	m := mapped(s)[3]
	at := fmt.Sprintf("%x", m.Start)
	if b := Blame(s.Blame(analysis.Question{Range: vm.Range{End: vm.AddressMax}}), l); !bytes.Contains(b, []byte("\n  "+at+" ")) {
		t.Errorf("blame has no line of %s:\n%s", at, b)
	}
	h, err := analysis.ReadHistory(opener("testdata/case.jsonl"), analysis.Moment{}, []int{m.pid}, m.Start, analysis.HistoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	for line := range strings.Lines(string(History(h, l))) {
		if strings.HasPrefix(line, "  ") && strings.Contains(line, " s  ") {
			steps++
			if !strings.Contains(line, "  7f") && !strings.Contains(line, "  55") {
				t.Errorf("history without a place: %s", line)
			}
		}
	}
	if steps == 0 {
		t.Error("no steps")
	}
}

// TestTheNounStays: what there is no room for is the least telling part of a label.
func TestTheNounStays(t *testing.T) {
	for width, want := range map[int]string{
		0: "glibc malloc arena of thread 31014 worker", 41: "glibc malloc arena of thread 31014 worker", 36: "glibc arena of thread 31014 worker",
		24: "glibc arena of worker", 21: "glibc arena of worker", 16: "glibc arena o...",
	} {
		if got := shortLabel("glibc malloc arena of thread 31014 worker", width); got != want {
			t.Errorf("%d: %q, want %q", width, got, want)
		}
	}
	if got := shortLabel("  code and data of 6 files: libc.so.6", 30); got != "  6 files: libc.so.6" {
		t.Errorf("files: %q", got)
	}
}
