package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/text"
)

// TestFits: what commands print that no view of a log does is no wider than the terminal, either.
func TestFits(t *testing.T) {
	testenv.Need(t, "attach")
	logs := testenv.Files(t, "../../internal/eventlog/testdata/broken/*.jsonl")
	whole := testenv.Files(t, "../../internal/*/testdata/*.jsonl")
	calls := [][]string{{"version"}, {"map", "--all"}, {"map", strconv.Itoa(os.Getpid())}}
	for _, by := range []string{"file", "thread"} {
		calls = append(calls, []string{"map", "--by", by, strconv.Itoa(os.Getpid())})
	}
	dir := t.TempDir()
	for _, log := range append(logs, whole...) {
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(log)
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, []string{"check", name})
	}
	t.Chdir(dir)
	lines := map[string]int{}
	widths := []int{60, 80, 100, 120, 200}
	for i := 0; i < len(widths); i += testenv.Often(2, 1) { // where CI is not set every other one
		width := widths[i]
		t.Setenv("COLUMNS", strconv.Itoa(width))
		for i, args := range calls {
			for _, language := range []string{"en", "zh"}[:1+i%2] { // every other one in Chinese, too
				var out bytes.Buffer
				root := rootCommand()
				root.SetOut(&out)
				root.SetErr(io.Discard)
				execute(root, append([]string{"--lang", language}, args...), io.Discard)
				for line := range strings.Lines(out.String()) {
					lines[args[0]]++
					if n := text.Width(strings.TrimSuffix(line, "\n")); n > width {
						t.Errorf("%v in %s: width %d: %d columns: %s", args, language, width, n, line)
					}
				}
			}
		}
	}
	for _, command := range []string{"version", "map", "check"} {
		if lines[command] < testenv.Often(2, 5) {
			t.Errorf("%s: %d lines", command, lines[command])
		}
	}
}
