package eventlog

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/testenv"
)

// blocks returns the fenced blocks of docs/eventlog.md in that language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	b, err := os.ReadFile("../../docs/eventlog.md")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	rest := string(b)
	for {
		_, after, ok := strings.Cut(rest, "\n```"+language+"\n")
		if !ok {
			break
		}
		block, behind, ok := strings.Cut(after, "\n```\n")
		if !ok {
			t.Fatalf("a block of %s does not end", language)
		}
		list = append(list, block)
		rest = behind
	}
	if len(list) == 0 {
		t.Fatalf("no block of %s", language)
	}
	return list
}

// TestDocsShowRealLines: every line in the documentation is one that vmblame writes and its schema takes.
func TestDocsShowRealLines(t *testing.T) {
	s := schema(t)
	shown := map[string]bool{}
	var d decoder
	for _, block := range blocks(t, "json") {
		for _, line := range strings.Split(block, "\n") {
			if err := validate(t, s, []byte(line)); err != nil {
				t.Errorf("%v\n%s", err, line)
			}
			r, err := d.decode([]byte(line))
			if err != nil || r == nil {
				t.Errorf("%v: %s", err, line)
				continue
			}
			shown[r.Type()] = true
			if again := string(AppendRecord(nil, r)); again != line+"\n" {
				t.Errorf("written as %sshown as   %s", again, line)
			}
		}
	}
	for _, r := range emptyRecords() {
		if !shown[r.Type()] {
			t.Errorf("no line of type %s is shown", r.Type())
		}
	}
}

// TestDocsReplay runs the program of the documentation and compares its ledgers with ours.
func TestDocsReplay(t *testing.T) {
	testenv.Need(t, "python3")
	path := filepath.Join(t.TempDir(), "replay.py")
	if err := os.WriteFile(path, []byte(blocks(t, "python")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("python3", path, "testdata/good.jsonl").CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	p, _ := replayed(t, "testdata/good.jsonl", nil)
	calls := map[uint64]string{1: "brk", 2: "mmap", 4: "mmap", 7: "mremap"}
	var want []string
	for _, s := range p.Spaces() {
		for e := range s.Ledger.All {
			name := e.File.Path
			if name == "" {
				name = "-"
			}
			by, seq := e.Origin.Cause.String(), ""
			if e.Origin.Cause == ledger.FromEvent {
				by, seq = calls[e.Origin.Event], fmt.Sprint(e.Origin.Event)
			}
			want = append(want, fmt.Sprintf("%d %x-%x %v %s by %s %s", s.ID, e.Start, e.End, e.Perms, name, by, seq))
		}
	}
	got := joinRows(strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"))
	if g, w := strings.Join(got, "\n"), strings.Join(joinRows(want), "\n"); g != w {
		t.Errorf("got:\n%s\nwant:\n%s", g, w)
	}
}

// joinRows makes one of rows that say the same of neighbouring pages.
func joinRows(rows []string) []string {
	var list []string
	lastEnd, lastWhat := "", ""
	for _, row := range rows {
		space, rest, _ := strings.Cut(row, " ")
		span, what, _ := strings.Cut(rest, " ")
		start, end, _ := strings.Cut(span, "-")
		if n := len(list); n > 0 && lastEnd == start && lastWhat == space+what {
			list[n-1] = strings.Replace(list[n-1], "-"+lastEnd, "-"+end, 1)
		} else {
			list = append(list, row)
		}
		lastEnd, lastWhat = end, space+what
	}
	return list
}
