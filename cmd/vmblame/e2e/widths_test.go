package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/text"
)

// TestWidths: no line of any view of logs of large programs, and of a script with some 200 processes (8 where CI is not set, and java alone), is wider than the terminal. Names inside
// programs, numbers of threads, terabytes and lists of processes are those that no small program has.
func TestWidths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		many  bool // only where CI is set
		needs []string
		argv  []string
	}{
		{"java", true, []string{"java"}, []string{"java", "-Xshare:auto", "-version"}},
		{"node", true, []string{"node"}, []string{"node", "-e", "const a = []; for (let i = 0; i < 1e6; i++) a.push({ i }); console.log(a.length)"}},
		{"chromium", true, []string{"chromium"}, []string{"chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom", "about:blank"}},
		{"configure", false, nil, []string{"sh", "-c", fmt.Sprint("i=0; while [ $i -lt ", testenv.Often(4, 100), " ]; do echo $i | grep -q 7; i=$(expr $i + 1); done")}},
	} {
		if c.many && !testenv.CI() {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if c.name == "chromium" {
				testenv.Optional(t, c.needs...) // not every distribution has it
			} else {
				testenv.Need(t, c.needs...)
			}
			dir := t.TempDir()
			log := c.name + ".jsonl"
			wide := 0
			hold := func(width int, what, said string) {
				for line := range strings.Lines(said) {
					if n := text.Width(strings.TrimSuffix(line, "\n")); n > width {
						if wide++; wide < 10 {
							t.Errorf("%s: width %d: %d columns: %s", what, width, n, line)
						}
					}
				}
			}
			// What the programs themselves say does not count.
			o := start(t, dir, filepath.Join(dir, "account"), append([]string{"env", "COLUMNS=80", built.vmblame, "run", "-o", log, "--"}, c.argv...)...)
			if o.status != "exit status 0" {
				t.Fatalf("%v", o)
			}
			if _, summary, found := strings.Cut(o.stderr, "vmblame: "); found {
				hold(80, "the summary", "vmblame: "+summary)
			} else {
				t.Errorf("no summary: %s", o.stderr)
			}
			address := someAddress(t, dir, log)
			views := [][]string{
				{"report", log}, {"report", "--by", "stack", log}, {"report", "--by", "function", log}, {"report", "--by", "thread", log}, {"report", "--by", "file", log}, {"report", "--vmas", log}, {"report", log + "@peak"},
				{"report", "--columns", "pss,private,swap,huge", log}, {"failed", log}, {"growth", log}, {"diff", log + "@start", log}, {"blame", log, "0-7fffffffffff"}, {"blame", log, address}, {"history", log, address}, {"check", log},
			}
			lines := 0
			widths := []int{60, 80, 100, 120, 200}
			for i := 0; i < len(widths); i += testenv.Often(len(widths), 1) { // where CI is not set the first
				width := widths[i]
				for j, args := range views {
					language := []string{"en", "zh"}[(i+j)%2]
					said := string(printed(t, dir, append([]string{"env", fmt.Sprint("COLUMNS=", width), built.vmblame, "--lang", language}, args...)...))
					lines += strings.Count(said, "\n")
					hold(width, strings.Join(args, " ")+" in "+language, said)
				}
			}
			if wide > 0 || lines < testenv.Often(300, 1000) {
				t.Errorf("%d of %d lines are wider than the terminal", wide, lines)
			}
			t.Logf("%d lines", lines)
		})
	}
}

// someAddress is one that is mapped at the end of a log.
func someAddress(t *testing.T, dir, log string) string {
	t.Helper()
	var r struct {
		Processes []struct {
			Rows []struct {
				Mappings []struct {
					Start string `json:"start"`
				} `json:"mappings"`
			} `json:"rows"`
		} `json:"processes"`
	}
	if err := json.Unmarshal(printed(t, dir, built.vmblame, "blame", "--json", log, "0-7fffffffffff"), &r); err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Processes {
		for _, row := range p.Rows {
			for _, m := range row.Mappings {
				return m.Start
			}
		}
	}
	t.Fatalf("nothing is mapped at the end of %s", log)
	return ""
}
