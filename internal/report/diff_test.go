package report

import (
	"os"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/internal/vm"
)

// caseWith is testdata/case.jsonl at a moment, with another environment and perhaps without snapshots.
func caseWith(t *testing.T, environment string, snapshots bool, at analysis.Moment) *analysis.State {
	t.Helper()
	log, err := os.ReadFile("testdata/case.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(strings.Replace(string(log), `{"MALLOC_ARENA_MAX":null}`, environment, 1)) {
		if snapshots || !strings.HasPrefix(line, `{"type":"snapshot"`) {
			lines = append(lines, line)
		}
	}
	s, err := analysis.Load(func() (*eventlog.Reader, error) {
		return eventlog.NewReader(strings.NewReader(strings.Join(lines, "")))
	}, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBecause: the largest difference stands beside the setting that governs its kind, in either direction, and
// says whose setting that is; one that was not recorded is not called unset.
func TestBecause(t *testing.T) {
	begin := analysis.Moment{Kind: analysis.AtTime}
	for _, c := range []struct {
		before, after     string
		environment, want string
	}{
		{`{"MALLOC_ARENA_MAX":"1"}`, `{"MALLOC_ARENA_MAX":null}`, "MALLOC_ARENA_MAX 1 | unset", "b has MALLOC_ARENA_MAX=1"},
		{`{"MALLOC_ARENA_MAX":null}`, `{"MALLOC_ARENA_MAX":"8"}`, "MALLOC_ARENA_MAX unset | 8", "a has MALLOC_ARENA_MAX=8"},
		{`{"MALLOC_ARENA_MAX":"1"}`, `{}`, "the same as far as both recorded it\nrecorded by one alone: MALLOC_ARENA_MAX 1 | not recorded", ""},
		{`{}`, `{"MALLOC_ARENA_MAX":""}`, "the same as far as both recorded it\nrecorded by one alone: MALLOC_ARENA_MAX not recorded | \"\"", ""},
		{`{}`, `{"MALLOC_ARENA_MAX":null}`, "the same as far as both recorded it\nrecorded by one alone: 1 variable that is unset", ""},
		{`{"MALLOC_ARENA_MAX":"1"}`, `{"MALLOC_ARENA_MAX":"1","overcommit_ratio":"50"}`, "the same as far as both recorded it\nrecorded by one alone: overcommit_ratio not recorded | 50", ""},
		{`{"MALLOC_ARENA_MAX":null,"libc_build_id":"ab"}`, `{"MALLOC_ARENA_MAX":null,"libc_build_id":"cd"}`, "libc_build_id ab | cd", ""},
	} {
		less, more := caseWith(t, c.before, true, begin), caseWith(t, c.after, true, analysis.Moment{})
		grown, shrunk := analysis.Compare(less, more, [2]string{"b", "a"}), analysis.Compare(more, less, [2]string{"a", "b"})
		sameAgain(t, "diff", grown, Diff)
		sameAgain(t, "diff", shrunk, Diff)
		got := string(Diff(grown, text.Style{Whole: true}))
		_, because, found := strings.Cut(got, "because: a has 64.0 MiB more: glibc malloc arena of thread worker, first malloc in ")
		if !strings.Contains(got, "environment: "+c.environment+"\n") || found != (c.want != "") || found && !strings.HasSuffix(because, "; "+c.want+"\n") {
			t.Errorf("%s | %s: want %s:\n%s", c.before, c.after, c.want, got)
		}
		if back := string(Diff(shrunk, text.Style{Whole: true})); strings.Contains(back, "because: a has 64.0 MiB more") != found || found && !strings.HasSuffix(back, "; "+c.want+"\n") {
			t.Errorf("the other way round:\n%s", back)
		}
	}
}

// TestNotMeasured: what was not measured on a side is not known, nor is how it differs; what is not there is
// something else.
func TestNotMeasured(t *testing.T) {
	const environment = `{"MALLOC_ARENA_MAX":null}`
	with, without := caseWith(t, environment, true, analysis.Moment{}), caseWith(t, environment, false, analysis.Moment{})
	d := analysis.Compare(without, with, [2]string{"before", "after"})
	if d.Processes[0].Before.Resident != nil || d.Processes[0].After.Resident == nil {
		t.Errorf("%+v", d.Processes[0])
	}
	for line, want := range map[string]string{"resident": "? 324 KiB ?", "accessible": "12.8 MiB 12.8 MiB 0"} {
		got := string(Diff(d, text.Style{Whole: true}))
		_, rest, _ := strings.Cut(got, "\n"+line)
		if rest, _, _ = strings.Cut(rest, "\n"); strings.Join(strings.Fields(rest), " ") != want {
			t.Errorf("%s: %q in\n%s", line, rest, got)
		}
	}
	b := without.Blame(analysis.Question{Rows: []vm.MapRow{{Range: mapped(without)[0].Range, Resident: -1}}})
	if r := b.Processes[0].Rows[0]; r.Resident != nil || r.Mappings[0].Resident != nil {
		t.Errorf("%+v", r)
	}
	if got := string(Blame(b, text.Style{Whole: true})); !strings.Contains(got, "  ?  ") || strings.Contains(got, "resident 0") {
		t.Errorf("%s", got)
	}
}

// TestCommandText: command lines that differ are a difference, and it is told where.
func TestCommandText(t *testing.T) {
	for _, c := range []struct{ before, after, want string }{
		{"python3 -c x 100", "python3 -c x 200", "command: ... 100 | ... 200"},
		{"java -Xmx128m -jar a", "java -Xmx512m -jar a", "command: ... -Xmx128m ... | ... -Xmx512m ..."},
		{"a", "b", "command: a | b"},
		{"a", "a b", "command: ... | ... b"},
		{"a x x", "a x", "command: ... x | ..."},
	} {
		if got := commandText(strings.Fields(c.before), strings.Fields(c.after), text.Style{}); got != c.want {
			t.Errorf("%s | %s: %s, want %s", c.before, c.after, got, c.want)
		}
	}
	if got := commandText([]string{"a", "b c"}, []string{"a", ""}, text.Style{}); got != `command: ... "b c" | ... ""` {
		t.Error(got)
	}
}
