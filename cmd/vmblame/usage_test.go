package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUsage: wrong usage is status 2 and one or two lines with "usage:" or "unknown", never a dump.
func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args string
		word string // on standard error, besides
	}{
		{"", "no command"},
		{"runn ls", "did you mean run"},
		{"--nosuch", "unknown flag"},
		{"help nosuch", "unknown command"},
		{"run", "PROGRAM is missing"},
		{"run --nosuch ls", "unknown flag: --nosuch"},
		{"run -Z ls", "unknown shorthand"},
		{"run --verify=sometimes ls", "off, end or each"},
		{"run --max-frames=0 ls", "--max-frames"},
		{"run --max-frames=many ls", "--max-frames"},
		{"run --max-frames", "needs an argument"},
		{"run --env NOVALUE ls", "not K=V"},
		{"run --duration 1s ls", "unknown flag"},
		{"run --backends=x ls", "unknown flag"},
		{"attach", "PID is missing"},
		{"attach 0", "0: not a pid"},
		{"attach 0", "0: not a pid"},
		{"attach -5", "-5: not a pid"},
		{"attach 99999999999999", "not a pid"},
		{"attach 1 -2", "-2: not a pid"},
		{"attach --duration=soon 1", "--duration"},
		{"attach --duration=-1s 1", "--duration"},
		{"attach --no-aslr 1", "unknown flag"},
		{"map", "PID|NAME|CORE|FILE|- is missing"},
		{"map --all 1", "unexpected argument"},
		{"map --all --by file", "--by is about one process"},
		{"check", "LOG is missing"},
		{"check a b", "unexpected argument"},
		{"export a", "--format is missing"},
		{"export --format nosuch a", "unknown format"},
		{"export --format json", "LOG is missing"},
		{"export --format json --at end a", "of the whole log"},
		{"export --format perfetto a b", "perfetto is of one log: the difference between two is for pprof, folded, html"},
		{"export --format json a b", "json is of one log: the difference between two is for pprof, folded, html"},
		{"export --format pprof a b c", "unexpected argument"},
		{"export --format pprof --value calls a", "--value is for folded"},
		{"export --format folded --value moons a", "addresses, usable"},
		{"export --format pprof --table ranges a", "--table is for"},
		{"export --format csv a", "-o FOLDER"},
		{"export --format csv --table moons a", "known are logs"},
		{"version x", "unexpected argument"},
		{"completion nosuch", "unknown shell"},
	} {
		t.Run(c.args, func(t *testing.T) {
			dir := t.TempDir()
			r := vmblame(t, dir, strings.Fields(c.args)...)
			r.wants(t, 2, c.word)
			if n := strings.Count(r.stderr, "\n"); n > 2 || r.stdout != "" {
				t.Errorf("%d lines on standard error, %q on standard output:\n%s", n, r.stdout, r.stderr)
			}
			if !strings.Contains(r.stderr, "usage:") && !strings.Contains(r.stderr, "unknown") {
				t.Errorf("neither usage: nor unknown:\n%s", r.stderr)
			}
			if !strings.HasPrefix(r.stderr, "vmblame: ") {
				t.Errorf("no name in front:\n%s", r.stderr)
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("a file was made: %v", left)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	for _, arg := range []string{"version", "--version"} {
		r := vmblame(t, "", arg)
		r.wants(t, 0)
		if r.stdout != "vmblame test\n" {
			t.Errorf("%s: %q", arg, r.stdout)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"help"}, {"help", "run"}, {"run", "--help"}, {"attach", "-h"}, {"export", "--help"}} {
		r := vmblame(t, "", args...)
		r.wants(t, 0)
		if !strings.Contains(r.stdout, "Usage:") || r.stderr != "" {
			t.Errorf("%v: %q, %q", args, r.stdout, r.stderr)
		}
	}
	if r := vmblame(t, "", "export", "--help"); !strings.Contains(r.stdout, "json") {
		t.Errorf("the list of formats is missing:\n%s", r.stdout)
	}
}

// sampleLog is a log that another test of the repository holds consistent.
const sampleLog = "../../internal/report/testdata/case.jsonl"

// TestBadLogs: check and export on what is no log, cut, newer or inconsistent.
func TestBadLogs(t *testing.T) {
	whole, err := os.ReadFile(sampleLog)
	if err != nil {
		t.Fatal(err)
	}
	text := string(whole)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	logs := []struct {
		name, log     string
		check, export int
		word          string
	}{
		{"whole", write("whole", text), 0, 0, ""},
		{"missing", filepath.Join(dir, "missing"), 1, 1, "no such file"},
		{"folder", dir, 1, 1, "vmblame: "},
		{"garbage", write("garbage", "\x00\xff garbage\nmore\n"), 1, 1, "not a vmblame log"},
		{"empty", write("empty", ""), 1, 1, "not a vmblame log"},
		{"other JSON", write("json", `{"type":"header","format":"other","version":1}`+"\n"), 1, 1, "not a vmblame log"},
		{"newer", write("newer", strings.Replace(text, `"version":1`, `"version":2`, 1)), 1, 1, "version 2 is newer"},
		{"cut in a line", write("cut", text[:len(text)*2/3]), 1, 0, "the log is cut"},
		{"cut between lines", write("cutline", text[:strings.LastIndex(strings.TrimSpace(text), "\n")+1]), 1, 0, "the log is cut"},
		{"cut in the header", write("cuthead", text[:60]), 1, 0, "the log is cut"},
	}
	for _, c := range logs {
		t.Run(c.name, func(t *testing.T) {
			r := vmblame(t, "", "check", c.log)
			r.wants(t, c.check, c.word)
			if n := strings.Count(r.stderr, "\n"); n > 2 {
				t.Errorf("check: %d lines:\n%s", n, r.stderr)
			}
			r = vmblame(t, "", "export", "--format", "json", c.log)
			r.wants(t, c.export, c.word)
			if n := strings.Count(r.stderr, "\n"); n > 2 {
				t.Errorf("export: %d lines:\n%s", n, r.stderr)
			}
			if c.export == 0 {
				exported(t, r.stdout, c.word != "")
			}
		})
	}
	// What an event says about the ledger does not fit.
	wrong := write("wrong", strings.Replace(text, `"result":"0x7ffff7d00000"`, `"result":"0x7ffff7d01000"`, 1))
	r := vmblame(t, "", "check", wrong)
	r.wants(t, 1, "the log contradicts itself: 1 problem")
	if !strings.Contains(r.stdout, "line ") {
		t.Errorf("no line is named: %q", r.stdout)
	}
}
