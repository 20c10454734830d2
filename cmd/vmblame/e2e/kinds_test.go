package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestKinds runs programs that say themselves what their memory is, and holds the answers against it.
func TestKinds(t *testing.T) {
	for _, name := range []string{"namesakes", "namesakes_static", "coroutine_stacks", "thread_stacks", "thread_stacks_static", "elf_bss", "namesakes_nested", "grown", "moved_text", "file_no_elf", "namesakes_pairs", "namesakes_pairs_static", "namesakes_pairs_nodebug", "namesakes_nested_nodebug", "attach_stack_end", "file_names"} {
		t.Run(name, func(t *testing.T) {
			log := filepath.Join(t.TempDir(), "log.jsonl")
			told := output(t, built.vmblame, "run", "-q", "-o", log, "--", prog(t, name))
			holdTruth(t, told, output(t, built.vmblame, "report", "--json", log))
		})
	}
}

// output runs a command that must succeed, and returns what it wrote to standard output.
func output(t *testing.T, argv ...string) string {
	t.Helper()
	need(t, argv)
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	if err != nil {
		t.Fatalf("%v: %v", argv, err)
	}
	return string(out)
}

// answered is a range of a report.
type answered struct {
	Start, End  eventlog.Hex
	Kind, Label string
	Confidence  string
	Evidence    string
}

// holdTruth holds the ranges of a report against the lines "is START END KIND LABEL", "not START END KIND" and
// "never WORD" of the program (testdata/progs/truth.h): every byte that is told of has the kind, the label and a range.
func holdTruth(t *testing.T, told, report string) {
	t.Helper()
	var doc any
	if err := json.Unmarshal([]byte(report), &doc); err != nil {
		t.Fatal(err)
	}
	ranges := rangesOf(t, doc, nil)
	lines := 0
	for line := range strings.Lines(told) {
		if word, ok := strings.CutPrefix(line, "never "); ok && strings.Contains(report, strings.TrimSpace(word)) {
			t.Errorf("the report says %s", word)
		}
		var verb, kind string
		var r vm.Range
		if n, _ := fmt.Sscanf(line, "%s %v %v %s", &verb, &r.Start, &r.End, &kind); n < 4 || verb != "is" && verb != "not" {
			continue
		}
		lines++
		label := strings.Join(strings.Fields(line)[4:], " ")
		covered := uint64(0)
		for _, a := range ranges {
			x := r.Intersect(vm.Range{Start: uint64(a.Start), End: uint64(a.End)})
			if x.Empty() {
				continue
			}
			covered += x.Len()
			if is := slices.Contains(strings.Split(kind, "|"), a.Kind); is != (verb == "is") || !strings.HasPrefix(a.Label, label) {
				t.Errorf("%v: %s (%s), %s: %s\nthe program says: %s", x, a.Kind, a.Label, a.Confidence, a.Evidence, line)
			}
		}
		if covered != r.Len() {
			t.Errorf("%d bytes of %v are in the report", covered, r)
		}
	}
	if lines == 0 {
		t.Errorf("the program tells nothing:\n%s", told)
	}
}

// rangesOf collects the ranges of a JSON value, wherever they stand in it, each once.
func rangesOf(t *testing.T, v any, list []answered) []answered {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			list = rangesOf(t, x, list)
		}
	case map[string]any:
		if v["start"] != nil && v["kind"] != nil {
			var a answered
			text, err := json.Marshal(v)
			if err == nil {
				err = json.Unmarshal(text, &a)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(list, a) {
				list = append(list, a)
			}
		}
		for _, x := range v {
			list = rangesOf(t, x, list)
		}
	}
	return list
}
