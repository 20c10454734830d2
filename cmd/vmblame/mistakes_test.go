package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestMistakes: what people type by mistake is answered in at most two lines that say what to do.
func TestMistakes(t *testing.T) {
	log, err := os.ReadFile(sampleLog)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"case.jsonl": string(log), "notes.txt": "remember the milk\n", "server": "#!/bin/sh\n", "notice": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	elf := append([]byte("\x7fELF"), make([]byte, 60)...)
	elf[16] = 2 // ET_EXEC
	files := map[string]string{"logs/old.jsonl": string(log), "logs/new.jsonl": string(log), "logs/other.jsonl": "no log", "none/other": "", "case.jsonl.gz": "\x1f\x8b\x08", "program": string(elf),
		"core": strings.Replace(string(elf), "\x02", "\x04", 1), "maps": "00400000-00401000 r-xp 00000000 08:01 17 /bin/sh\n",
		"newer.jsonl": strings.Replace(string(log), `"version":1`, `"version":2`, 1)}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range []string{"logs/old.jsonl", "logs/new.jsonl"} {
		at := time.Unix(int64(1_700_000_000+i), 0) // the order is set, not that of writing
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	mistakes := []struct {
		args   string
		status int
		words  string // that say what to do
	}{
		// The command.
		{"case.jsonl", 2, "vmblame report case.jsonl"},
		{"case.jsonl@peak", 2, "vmblame report case.jsonl@peak"},
		{"notes.txt", 2, "vmblame ./notes.txt"},
		{"sh script", 2, "vmblame run sh"},
		{"sh -c :", 2, "vmblame run sh"},
		{"sh -v", 2, "vmblame run sh"},
		{"reprot --by kind case.jsonl", 2, "did you mean report?"},
		{"reprot case.jsonl", 2, "did you mean report?"},
		{"atach 4711", 2, "did you mean attach?"},
		{"diffs a b", 2, "did you mean diff?"},
		{"grwth case.jsonl", 2, "did you mean growth?"},
		{"histroy case.jsonl 0", 2, "did you mean history?"},
		{"nosuchthing", 2, "--help tells more"},
		{"help reprot", 2, "did you mean report?"},
		{"./nosuch", 127, "check the name"},
		{"./notes.txt", 126, "chmod +x it"},
		// Flags of other tools, and flags with a slip.
		{"attach -p 4711", 2, "vmblame attach PID"},
		{"attach --pid 4711", 2, "vmblame attach PID"},
		{"run -f ./server", 2, "followed anyway"},
		{"run -e mmap ./server", 2, "--live prints them"},
		{"run -k ./server", 2, "recorded anyway"},
		{"attach --durration 5s 1", 2, "did you mean --duration?"},
		{"report --bye stack case.jsonl", 2, "did you mean --by?"},
		{"report --min case.jsonl", 2, "did you mean --min-size?"},
		{"run --noaslr ./server", 2, "did you mean --no-aslr?"},
		{"growth --functoin x case.jsonl", 2, "did you mean --function?"},
		{"run --out x ./server", 2, "did you mean --output?"},
		{"report --by kinds case.jsonl", 2, "kind, stack, file, thread or function"},
		{"report --sort size case.jsonl", 2, "reserved, committed, resident, count or name"},
		{"report --min-size huge case.jsonl", 2, "4096, 64K, 100M, 1.5G"},
		{"report --columns foo case.jsonl", 2, "pss, private, shared, swap, huge and locked"},
		{"report --top many case.jsonl", 2, "not a number"},
		{"failed --pid x case.jsonl", 2, "not a number"},
		{"run --advice=yes sh", 2, "true or false"},
		{"run --snapshot-every 10 sh", 2, "not a duration: 500ms, 10s, 1h"},
		{"attach --duration soon 1", 2, "not a duration: 500ms, 10s, 1h"},
		{"report --kind [ case.jsonl", 2, "not a regular expression"},
		{"run --verify always ./server", 2, "off, end or each"},
		{"run --backend ptrace ./server", 2, "auto, sigtrap, seccomp or syscall"},
		{"run --env PATH ./server", 2, "K=V"},
		{"attach --duration 5 1", 2, "not a duration: 500ms, 10s, 1h"},
		{"export --format svg case.jsonl", 2, "known are"},
		{"export case.jsonl", 2, "--format is missing"},
		// Logs and moments.
		{"report nosuch.jsonl", 1, "the logs here: case.jsonl"},
		{"check nosuch.jsonl", 1, "the logs here: case.jsonl"},
		{"diff nosuch.jsonl case.jsonl", 1, "the logs here: case.jsonl"},
		{"report notes.txt", 1, "vmblame run -o LOG"},
		{"report notice", 1, "vmblame run -o LOG"},
		{"report case.jsonl@99s", 1, "the log ends at"},
		{"report case.jsonl@soon", 2, "start, end, peak, a time such as 1.5s, or seq:N"},
		{"growth --since soon case.jsonl", 2, "start, end, peak, a time such as 1.5s, or seq:N"},
		{"report --until 1ms case.jsonl@end", 2, "has a moment already"},
		{"report --pid 77 case.jsonl", 1, "without --pid lists them"},
		{"failed", 2, "vmblame run PROGRAM makes one"},
		{"diff case.jsonl", 2, "AFTER is missing"},
		{"report case.jsonl other.jsonl", 2, "unexpected argument"},
		{"report case.jsonl case.jsonl", 2, "vmblame diff tells what differs"},
		{"report case.jsonl @peak", 2, "case.jsonl@peak"},
		{"report logs", 1, "its newest log is logs/new.jsonl"},
		{"check logs", 1, "its newest log is logs/new.jsonl"},
		{"symbolize logs", 1, "its newest log is logs/new.jsonl"},
		{"export --format json logs", 1, "its newest log is logs/new.jsonl"},
		{"report none", 1, "no log is in it"},
		{"report case.jsonl.gz", 1, "gunzip case.jsonl.gz"},
		{"report core", 1, "vmblame map core"},
		{"report program", 1, "vmblame run ./program"},
		{"report maps", 1, "vmblame map maps"},
		{"report newer.jsonl", 1, "use the vmblame that wrote it, or a later one"},
		{"report -", 1, "read from a file"},
		{"growth --since peak --until start case.jsonl", 1, "choose an earlier moment"},
		{"report --top -1 case.jsonl", 2, "1 or more"},
		{"diff --fail-over 5 case.jsonl case.jsonl", 2, "neither a share (5%) nor a size"},
		{"symbolize --debug-dir nosuch case.jsonl", 2, "no such folder"},
		{"serve --port 99999 case.jsonl", 2, "too large a number"},
		{"report -o answer case.jsonl", 2, "> FILE"},
		// Where answers go.
		{"html -o nosuch/page.html case.jsonl", 1, "mkdir -p nosuch makes the folder"},
		{"html -o logs case.jsonl", 1, "name another file with -o"},
		{"export --format folded -o nosuch/stacks case.jsonl", 1, "mkdir -p nosuch makes the folder"},
		{"symbolize -o nosuch/named.jsonl case.jsonl", 1, "mkdir -p nosuch makes the folder"},
		{"run -o nosuch/new.jsonl -- sh -c :", 125, "mkdir -p nosuch makes the folder"},
		// Addresses.
		{"history case.jsonl 3000-5000", 2, "blame tells of a range"},
		{"blame case.jsonl", 2, "ADDR is missing"},
		{"blame case.jsonl main", 2, "hexadecimal digits"},
		{"blame case.jsonl 5000-3000", 2, "ends before it begins"},
		// Processes.
		{"attach 1073741824", 1, "check the pid"},
		{"attach nosuchprocess", 1, "ps -e lists those that run"},
		{"map nosuchprocess", 1, "ps -e lists those that run"},
		{"attach", 2, "PID is missing"},
		{"attach 0", 2, "not a pid"},
		{"attach -5", 2, "not a pid"},
		{"map -5", 2, "not a pid"},
		{"map 99999999999999", 2, "not a pid"},
		{"map --pid 4711", 2, "vmblame map PID"},
		{"map notes.txt", 1, "pmap -x PID writes one"},
		{"map program", 1, "vmblame run ./program"},
		{"attach -d 5s 1", 2, "did you mean --duration?"},
		// Running.
		{"run nosuchprogram", 127, "check the name, PATH and --chdir"},
		{"run server", 127, "vmblame run ./server"},
		{"run --advice no -- sh", 127, "the program comes after --"},
		{"run -o notes.txt -- sh -c :", 125, "name another file"},
		{"run --chdir nosuch -- sh -c :", 125, "a folder that exists"},
		{"run --user nosuchuser -- sh -c :", 125, "getent passwd"},
	}
	if len(mistakes) < 100 {
		t.Errorf("%d mistakes", len(mistakes))
	}
	for _, m := range mistakes {
		t.Run(m.args, func(t *testing.T) {
			r := vmblame(t, dir, strings.Fields(m.args)...)
			r.wants(t, m.status, m.words)
			if n := strings.Count(r.stderr, "\n"); n > 2 || n == 0 || r.stdout != "" {
				t.Errorf("%d lines on standard error, %q on standard output:\n%s", n, r.stdout, r.stderr)
			}
			if !strings.HasPrefix(r.stderr, "vmblame: ") {
				t.Errorf("no name in front:\n%s", r.stderr)
			}
		})
	}
}

// TestNewestLog: report, growth and failed without a log take the newest one of a default name here, and say so.
func TestNewestLog(t *testing.T) {
	log, err := os.ReadFile(sampleLog)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i, name := range []string{"vmblame.20.jsonl", "vmblame.7.jsonl", "vmblame.9.jsonl", "other.jsonl"} {
		text := string(log)
		if i == 2 {
			text = "no log\n"
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		at := time.Unix(int64(1_700_000_000+i), 0) // the order is set, not that of writing
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range []string{"report", "growth", "failed"} {
		r := vmblame(t, dir, command)
		r.wants(t, 0, "the newest one here, vmblame.7.jsonl")
		if !strings.Contains(r.stdout, "vmblame.7.jsonl") && command != "failed" {
			t.Errorf("%s:\n%s", command, r.stdout)
		}
	}
}

// TestExamples: every command's help has two examples, and none is wider than 80 columns.
func TestExamples(t *testing.T) {
	for _, cmd := range append(rootCommand().Commands(), rootCommand()) {
		n := 0
		for line := range strings.Lines(cmd.Example) {
			n++
			if len(line) > 81 || !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: %q", cmd.Name(), line)
			}
		}
		if n < 2 && !strings.HasPrefix(cmd.Name(), "__") && cmd.Name() != "launch" {
			t.Errorf("%s has %d examples", cmd.Name(), n)
		}
	}
	r := vmblame(t, "", "run", "--help")
	r.wants(t, 0)
	for line := range strings.Lines(r.stdout) {
		if len(line) > 101 {
			t.Errorf("help of run: %d columns: %s", len(line), line)
		}
	}
}

// TestCompletesWhatThereIs: the shells' completion knows processes with their names, logs, moments and formats.
func TestCompletesWhatThereIs(t *testing.T) {
	dir := t.TempDir()
	log, err := os.ReadFile(sampleLog)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"case.jsonl": string(log), "other.jsonl": "no log"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args        []string
		has, hasNot string
	}{
		{[]string{"report", ""}, "case.jsonl\n", "other.jsonl"},
		{[]string{"report", "case.jsonl@"}, "case.jsonl@peak", "other"},
		{[]string{"export", "--format", ""}, "perfetto", "case"},
		{[]string{"report", "--by", ""}, "function", "case"},
		{[]string{"attach", "1"}, "1\t", "case.jsonl"},
	} {
		r := vmblame(t, dir, append([]string{"__complete"}, c.args...)...)
		if !strings.Contains(r.stdout, c.has) || strings.Contains(r.stdout, c.hasNot) {
			t.Errorf("%q: %s", c.args, r.stdout)
		}
	}
}
