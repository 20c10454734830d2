package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vmblame/vmblame/internal/manual"
	"github.com/vmblame/vmblame/internal/testenv"
)

// asking are the commands that read a log, LOG to be replaced.
var asking = []string{"report LOG", "report --vmas LOG", "blame LOG 0x7ffff7a00000", "history LOG 7ffff7a00000", "diff LOG LOG"}

func ask(line, log string) []string {
	args := strings.Fields(line)
	for i, a := range args {
		if a == "LOG" {
			args[i] = log
		}
	}
	return args
}

// TestAnswersOfBadLogs: what is no log is refused with its reason; a cut one is answered from.
func TestAnswersOfBadLogs(t *testing.T) {
	whole, err := os.ReadFile(sampleLog)
	if err != nil {
		t.Fatal(err)
	}
	text, dir := string(whole), t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for i, c := range []struct {
		log    string
		status int
		word   string
	}{
		{write("whole", text), 0, ""},
		{filepath.Join(dir, "missing"), 1, "no such file"},
		{dir, 1, "a folder, and no log is in it"},
		{write("garbage", "\x00\xff garbage\nmore\n"), 1, "not a vmblame log"},
		{write("empty", ""), 1, "not a vmblame log"},
		{write("newer", strings.Replace(text, `"version":1`, `"version":2`, 1)), 1, "version 2 is newer"},
		{write("cut", text[:len(text)*2/3]), 0, "the log is cut"},
		{write("cutline", text[:strings.LastIndex(strings.TrimSpace(text), "\n")+1]), 0, "the log is cut"},
		{write("cuthead", text[:60]), 0, "the log is cut"},
	} {
		for j, line := range asking {
			moments := []string{"", "@peak", "@0ms"}
			if !testenv.CI() {
				moments = moments[(i+j)%3:][:1] // each of each command, by one log or another
			}
			for _, suffix := range moments {
				r := vmblame(t, "", ask(line, c.log+suffix)...)
				r.wants(t, c.status, c.word)
				if c.status != 0 && (r.stdout != "" || strings.Count(r.stderr, "\n") > 2) {
					t.Errorf("%s %s: %q, %q", line, c.log, r.stdout, r.stderr)
				}
				if c.status == 0 && (r.stdout == "" || c.word == "" && r.stderr != "") {
					t.Errorf("%s %s: %q, %q", line, c.log, r.stdout, r.stderr)
				}
			}
			if c.status == 0 {
				r := vmblame(t, "", append(ask(line, c.log), "--json")...)
				r.wants(t, 0, c.word)
				if !json.Valid([]byte(r.stdout)) {
					t.Errorf("%s --json: %s", line, r.stdout)
				}
			}
		}
	}
}

// TestAskingUsage: wrong usage of the commands that answer.
func TestAskingUsage(t *testing.T) {
	for args, word := range map[string]string{
		"report":                              "LOG is missing",
		"report " + sampleLog + "@never":      "moment",
		"report " + sampleLog + "@seq:x":      "moment",
		"report --by moon " + sampleLog:       "kind, stack, file, thread or function",
		"report --sort moon " + sampleLog:     "reserved, committed",
		"report --min-size lots " + sampleLog: "not a size",
		"report --pid x " + sampleLog:         "--pid",
		"blame " + sampleLog:                  "ADDR is missing",
		"blame " + sampleLog + " xyz":         "not an address",
		"blame " + sampleLog + " 2000-1000":   "ends before it begins",
		"history " + sampleLog:                "ADDR is missing",
		"history " + sampleLog + " -":         "not an address",
		"diff " + sampleLog:                   "AFTER is missing",
		"diff --pid 1,2,3 a b":                "at most one process",
		"run --until-vsz much true":           "not a size",
	} {
		r := vmblame(t, "", strings.Fields(args)...)
		r.wants(t, 2, word, "usage:")
		if n := strings.Count(r.stderr, "\n"); n > 2 || r.stdout != "" {
			t.Errorf("%s: %q, %q", args, r.stdout, r.stderr)
		}
	}
	r := vmblame(t, "", "report", "--pid", "1", mustAbs(t, sampleLog))
	r.wants(t, 1, "no such process")
}

// TestMomentOrFile: a file whose name looks like a moment is a file.
func TestMomentOrFile(t *testing.T) {
	whole, err := os.ReadFile(sampleLog)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "log@peak")
	if err := os.WriteFile(name, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	r := vmblame(t, "", "report", name)
	r.wants(t, 0)
	if !strings.Contains(r.stdout, "at its end") {
		t.Errorf("%s", r.stdout)
	}
	r = vmblame(t, "", "report", name+"@peak")
	r.wants(t, 0)
	if !strings.Contains(r.stdout, "at the peak") {
		t.Errorf("%s", r.stdout)
	}
}

// TestBlameText: rows from a pipe, in the words of each tool.
func TestBlameText(t *testing.T) {
	for _, text := range []string{
		"7ffff7a00000-7ffff7c00000 rw-p 00000000 00:00 0 \n",
		"7ffff7a00000-7ffff7c00000 rw-p 00000000 00:00 0 \nSize:  2048 kB\nRss:   12 kB\n",
		"9817:   ./silly\n00007ffff7a00000   2048K rw---   [ anon ]\n total             2048K\n",
		"9817:   ./silly\nAddress           Kbytes     RSS   Dirty Mode  Mapping\n00007ffff7a00000    2048      12       0 rw---   [ anon ]\n",
	} {
		cmd := command(t, "", "blame", mustAbs(t, sampleLog), "-")
		cmd.Stdin = strings.NewReader(text)
		r := finish(t, cmd)
		r.wants(t, 0)
		if line := lineWith(t, r.stdout, "  7ffff7a00000  "); !strings.Contains(line, "2.0 MiB") || !strings.Contains(line, "silly_socket_init < main") {
			t.Errorf("%s", r.stdout)
		}
		if strings.Contains(text, "12") && !strings.Contains(r.stdout, "resident 12 KiB") {
			t.Errorf("the text's own resident bytes are not used:\n%s", r.stdout)
		}
	}
	cmd := command(t, "", "blame", mustAbs(t, sampleLog), "-")
	cmd.Stdin = strings.NewReader("hello\n")
	finish(t, cmd).wants(t, 1, "no row of")
}

func mustAbs(t *testing.T, name string) string {
	t.Helper()
	abs, err := filepath.Abs(name)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// TestBytes: exact sizes are numbers without units.
func TestBytes(t *testing.T) {
	r := vmblame(t, "", "report", "--bytes", mustAbs(t, sampleLog))
	r.wants(t, 0)
	if !strings.Contains(lineWith(t, r.stdout, "glibc malloc arena of"), "67108864") || strings.Contains(r.stdout, " MiB") && !strings.Contains(r.stdout, "hint") {
		t.Errorf("%s", r.stdout)
	}
}

// TestAnswerOnTerminal: on a terminal the table fits and is coloured, unless NO_COLOR is set.
func TestAnswerOnTerminal(t *testing.T) {
	testenv.Need(t, "script")
	for _, c := range []struct {
		env   string
		color bool
	}{{"NO_COLOR=", true}, {"NO_COLOR=1", false}} {
		// script(1) gives the command a terminal of its own.
		cmd := exec.Command("script", "-qec", "stty cols 90; "+binary+" report "+quote(mustAbs(t, sampleLog)), "/dev/null")
		cmd.Env = append(os.Environ(), c.env, "TERM=xterm")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if got := strings.Contains(string(out), "\x1b[3"); got != c.color {
			t.Errorf("%s: colours: %v\n%s", c.env, got, out)
		}
		if !strings.Contains(string(out), "luaL_loadfilex < ...") {
			t.Errorf("%s: the table does not fit:\n%s", c.env, out)
		}
	}
}

// TestEveryCommandInJSON: --json gives JSON and nothing else.
func TestEveryCommandInJSON(t *testing.T) {
	log := mustAbs(t, sampleLog)
	for _, args := range [][]string{
		{"report", log}, {"blame", log, "0-ffffffffffff"}, {"history", log, "7ffff7a00000"}, {"diff", log, log}, {"failed", log}, {"export", log}, {"check", log}, {"version"},
	} {
		r := vmblame(t, "", append(args, "--json")...)
		r.wants(t, 0)
		if !json.Valid([]byte(r.stdout)) {
			t.Errorf("%v: %s", args, r.stdout)
		}
	}
	r := vmblame(t, "", "run", "--json", "-o", "log.jsonl", "--", "true")
	r.wants(t, 0)
	var summary struct {
		Log    string
		End    *struct{ Cause string }
		Report *struct{ Processes []any }
	}
	if err := json.Unmarshal([]byte(r.stderr), &summary); err != nil || summary.Log != "log.jsonl" || summary.End == nil || summary.Report == nil || len(summary.Report.Processes) != 1 {
		t.Errorf("%v: %s", err, r.stderr)
	}
}

// TestManual: a page for every command, with its flags. That the command of `make man` calls what this does, `make dist` shows.
func TestManual(t *testing.T) {
	dir := t.TempDir()
	pages, err := manual.Write(rootCommand(), "test", filepath.Join(dir, "pages"))
	if err != nil || pages < 10 {
		t.Fatalf("%d pages: %v", pages, err)
	}
	for _, cmd := range subcommands() {
		if cmd.Hidden {
			continue
		}
		page, err := os.ReadFile(filepath.Join(dir, "pages", "vmblame-"+cmd.Name()+".1"))
		if err != nil {
			t.Error(err)
			continue
		}
		text := strings.ReplaceAll(string(page), `\-`, "-")
		for _, flag := range strings.Fields(flagNames(cmd)) {
			if !strings.Contains(text, flag) {
				t.Errorf("%s: %s is missing in the page", cmd.Name(), flag)
			}
		}
	}
}

func flagNames(cmd *cobra.Command) string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	return strings.Join(names, " ")
}

// TestCompletion: the shells that cobra knows, and the words of flags.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		r := vmblame(t, "", "completion", shell)
		r.wants(t, 0)
		if !strings.Contains(r.stdout, "vmblame") {
			t.Errorf("%s: %s", shell, r.stdout)
		}
	}
	r := vmblame(t, "", "__complete", "report", "--by", "")
	if !strings.HasPrefix(r.stdout, "kind\nstack\nfile\n") {
		t.Errorf("%s", r.stdout)
	}
}
