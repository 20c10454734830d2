package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// suite is what a reader of JUnit XML takes from it.
type suite struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Cases    []struct {
		Name    string `xml:"name,attr"`
		Failure *struct {
			Message string `xml:"message,attr"`
		} `xml:"failure"`
	} `xml:"testcase"`
}

func readSuite(t *testing.T, name string) (s suite) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(b, &s); err != nil {
		t.Fatalf("%v:\n%s", err, b)
	}
	return s
}

// TestBounded: a bound that a run passes is status 3 and one line that says by whom; one that it keeps is nothing; a
// program that failed keeps its own status.
func TestBounded(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) result {
		return vmblame(t, dir, append([]string{"run", "-q", "-o", "run.jsonl"}, args...)...)
	}
	file := filepath.Join(dir, "junit.xml")
	r := run("--max-addresses", "64K", "--max-mappings", "100000", "--max-resident", "1T", "--junit", file, "sh", "-c", ":")
	r.wants(t, 3, "of addresses, --max-addresses 64 KiB: the largest is ")
	if strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("%q", r.stderr)
	}
	if s := readSuite(t, file); s.Tests != 3 || s.Failures != 1 || s.Cases[0].Name != "max-addresses" || s.Cases[0].Failure == nil || s.Cases[1].Failure != nil {
		t.Errorf("%+v", s)
	}
	run("--max-mappings", "3", "sh", "-c", ":").wants(t, 3, "mappings, --max-mappings 3: the largest is ")
	run("--max-resident", "4K", "sh", "-c", ":").wants(t, 3, "in memory, --max-resident 4 KiB: the largest is ")
	if r := run("--max-addresses", "1T", "sh", "-c", ":"); r.stderr != "" {
		r.wants(t, 0)
		t.Errorf("%q", r.stderr)
	}
	run("--max-addresses", "64K", "sh", "-c", "exit 7").wants(t, 7)
	vmblame(t, dir, "run", "--junit", "x", "sh").wants(t, 2, "no bound")
}

// TestFailOver: diff ends with 3 where there is more than the bound.
func TestFailOver(t *testing.T) {
	dir := t.TempDir()
	file, summary := filepath.Join(dir, "junit.xml"), filepath.Join(dir, "summary.md")
	t.Setenv("GITHUB_STEP_SUMMARY", summary)
	sampleLog, err := filepath.Abs(sampleLog)
	if err != nil {
		t.Fatal(err)
	}
	r := vmblame(t, "", "diff", "--fail-over", "5%", "--junit", file, sampleLog+"@start", sampleLog)
	r.wants(t, 3, "--fail-over 5%: the largest is +64.0 MiB glibc malloc arena, made by ")
	if s := readSuite(t, file); s.Tests != 1 || s.Failures != 1 {
		t.Errorf("%+v", s)
	}
	r = vmblame(t, "", "diff", "--lang", "zh", "--fail-over", "5%", "--junit", file, sampleLog+"@start", sampleLog)
	r.wants(t, 3, "--fail-over 5%：最大的是 +64.0 MiB glibc arena（分配区），由 ")
	if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), "最大的是") {
		t.Errorf("%v: %s", err, b)
	}
	vmblame(t, "", "diff", "--fail-over", "100M", sampleLog+"@start", sampleLog).wants(t, 0)
	vmblame(t, "", "diff", "--fail-over", "0%", sampleLog, sampleLog).wants(t, 0)
	vmblame(t, "", "diff", "--fail-over", "much", sampleLog, sampleLog).wants(t, 2, "neither a share (5%) nor a size")
	b, err := os.ReadFile(summary)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(b); strings.Count(text, "### vmblame: ") != 4 || !strings.Contains(text, "❌ silly: +76.0 MiB") || !strings.Contains(text, "✅") || !strings.Contains(text, "glibc malloc arena") {
		t.Errorf("%s", text)
	}
}
