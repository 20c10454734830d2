package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

// caseRun is a recording of testdata's `case` and what the program itself wrote about it.
type caseRun struct {
	dir, log string
	account  []string
	smaps    string // rows of its memory map at the end
}

// build makes programs of testdata.
func build(t *testing.T, programs ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := testenv.Programs(dir, programs...); err != nil {
		t.Fatal(err)
	}
	return dir
}

// recordCase records the case with an environment.
func recordCase(t *testing.T, progs, name string, env ...string) *caseRun {
	t.Helper()
	c := &caseRun{dir: t.TempDir()}
	c.log = filepath.Join(c.dir, name)
	account := filepath.Join(c.dir, "account")
	cmd := command(t, c.dir, "run", "-q", "-o", c.log, "--", filepath.Join(progs, "case"))
	cmd.Env = append(os.Environ(), "VMBLAME_ACCOUNT="+account)
	cmd.Env = append(cmd.Env, env...)
	finish(t, cmd).wants(t, 0)
	text, err := os.ReadFile(account)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		c.account = append(c.account, strings.TrimSpace(line))
		if _, row, ok := strings.Cut(line, " "); ok && strings.HasPrefix(line, "maps ") {
			_, row, _ = strings.Cut(row, " ")
			c.smaps += row
		}
	}
	return c
}

// said returns the fields of the first line of the account that begins with a word and has all of these in it.
func (c *caseRun) said(t *testing.T, word string, has ...string) map[string]string {
	t.Helper()
	for _, line := range c.account {
		if !strings.HasPrefix(line, word+" ") {
			continue
		}
		ok := true
		for _, h := range has {
			ok = ok && strings.Contains(line, h)
		}
		if !ok {
			continue
		}
		fields := map[string]string{}
		for _, f := range strings.Fields(line)[1:] {
			if k, v, ok := strings.Cut(f, "="); ok {
				fields[k] = v
			}
		}
		return fields
	}
	t.Fatalf("the program said no %s %v", word, has)
	return nil
}

type mappingAnswer struct {
	Start, End eventlog.Hex
	Bytes      int64
	Kind       string
	Detail     string
	Resident   *int64
	Call       string
	TID        int
	Thread     string
	Who        []string
	Frames     []struct{ Function string }
}

func answerOf(t *testing.T, into any, args ...string) {
	t.Helper()
	r := vmblame(t, "", append(args, "--json")...)
	r.wants(t, 0)
	if err := json.Unmarshal([]byte(r.stdout), into); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, r.stdout)
	}
}

// TestCase answers the investigated case from beginning to end.
func TestCase(t *testing.T) {
	progs := build(t, "case")
	// How many arenas there may be must not depend on the number of processors.
	c := recordCase(t, progs, "default.jsonl", "MALLOC_ARENA_MAX=8")
	one := recordCase(t, progs, "one.jsonl", "MALLOC_ARENA_MAX=1")
	arena := c.said(t, "arena")
	worker := c.said(t, "thread", "name=worker")

	t.Run("every byte has a kind and an owner", func(t *testing.T) {
		var doc struct {
			Processes []struct {
				Explained int64
				Total     struct{ Reserved int64 }
				Holders   []struct {
					Kind     string
					Reserved int64
					Parts    []struct{ Who []string }
					Who      []string
				}
			}
		}
		answerOf(t, &doc, "report", c.log)
		if len(doc.Processes) != 1 {
			t.Fatalf("%d processes", len(doc.Processes))
		}
		p := doc.Processes[0]
		var sum int64
		for _, h := range p.Holders {
			sum += h.Reserved
			if h.Kind == "" || h.Kind == "unknown" || len(h.Who) == 0 && len(h.Parts) == 0 {
				t.Errorf("%+v: no kind or no owner", h)
			}
			for _, q := range h.Parts {
				if len(q.Who) == 0 {
					t.Errorf("%+v: a part without an owner", h)
				}
			}
		}
		if sum != p.Total.Reserved || p.Explained != sum {
			t.Errorf("the holders have %d bytes, %d are mapped, %d explained", sum, p.Total.Reserved, p.Explained)
		}
		var rows struct {
			Processes []struct {
				Rows []struct {
					Start, End eventlog.Hex
					Mapped     int64
				}
			}
		}
		answerOf(t, &rows, "blame", c.log, "0-ffffffffffff")
		var virtual int64
		for _, r := range rows.Processes[0].Rows {
			virtual += int64(r.End - r.Start)
			if r.Mapped != int64(r.End-r.Start) {
				t.Errorf("%x: %d bytes of a row are unknown", r.Start, int64(r.End-r.Start)-r.Mapped)
			}
		}
		if virtual != sum {
			t.Errorf("rows of %d bytes, holders of %d", virtual, sum)
		}
	})

	t.Run("the 64 MiB", func(t *testing.T) {
		testenv.Need(t, "libc6-dbg") // names what fopen calls
		var doc struct {
			Processes []struct {
				Rows []struct{ Mappings []mappingAnswer }
			}
		}
		answerOf(t, &doc, "blame", c.log, arena["start"]+"-"+arena["end"])
		var bytes, resident int64
		for _, r := range doc.Processes[0].Rows {
			for _, m := range r.Mappings {
				bytes += m.Bytes
				resident += *m.Resident
				if m.Kind != "glibc-arena" || fmt.Sprint(m.TID) != worker["tid"] || m.Thread != "worker" || m.Call != "mmap" {
					t.Errorf("%+v", m)
				}
				// The true first allocator is fopen, called by the program's own luaL_loadfilex.
				if len(m.Who) < 2 || !strings.Contains(m.Who[0], "fopen") || m.Who[1] != "luaL_loadfilex" {
					t.Errorf("who: %v", m.Who)
				}
			}
		}
		if bytes != 64<<20 || resident > 64<<10 {
			t.Errorf("%d bytes, %d resident", bytes, resident)
		}
		r := vmblame(t, "", "report", "--wide", c.log)
		r.wants(t, 0)
		line := lineWith(t, r.stdout, "arena of thread "+worker["tid"]+" worker")
		if !strings.Contains(line, "64.0 MiB") || !strings.Contains(line, "fopen < luaL_loadfilex < silly_worker_start < thread_worker") {
			t.Errorf("%s", line)
		}
		if hint := lineWith(t, r.stdout, "hint: "); strings.Contains(hint, "MALLOC_ARENA_MAX") {
			t.Errorf("advice that has been taken: %s", hint)
		}
		stacks := lineWith(t, r.stdout, "thread stacks ")
		if !strings.Contains(stacks, "pthread_create < silly_run < main") {
			t.Errorf("%s", stacks)
		}
	})

	t.Run("a row that is several mmaps", func(t *testing.T) {
		testenv.Need(t, "libjemalloc.a")
		r := command(t, c.dir, "blame", c.log, "-")
		r.Stdin = strings.NewReader(c.smaps)
		got := finish(t, r)
		got.wants(t, 0)
		several := regexp.MustCompile(`(?m)^(\S+) rw-p .*: one row for the kernel, (\d+) mappings\n((?:  .*\n)+)`).FindAllStringSubmatch(got.stdout, -1)
		found := false
		for _, m := range several {
			if lines := strings.Count(m[3], "\n"); strconv.Itoa(lines) != m[2] {
				t.Errorf("%s of %s mappings has %d lines", m[1], m[2], lines)
			}
			found = found || strings.Count(m[3], "jemalloc") >= 3
		}
		if !found {
			t.Errorf("no row of several of jemalloc's mappings in\n%s", got.stdout)
		}
		// Every row of the kernel's is there, and nothing of it is unknown.
		for row := range strings.Lines(c.smaps) {
			place, _, _ := strings.Cut(row, " ")
			if strings.Contains(row, "[vsyscall]") {
				continue
			}
			if !regexp.MustCompile(`(?m)^0*` + strings.TrimLeft(strings.Replace(place, "-", "-0*", 1), "0")).MatchString(got.stdout) {
				t.Errorf("%s is missing", place)
			}
		}
		if strings.Contains(got.stdout, "not mapped") {
			t.Errorf("rows that the ledger does not have:\n%s", got.stdout)
		}
	})

	t.Run("the reused range", func(t *testing.T) {
		reused := c.said(t, "reused")
		var doc struct {
			Chapters []struct {
				Steps []struct {
					What   string
					TID    int
					Thread string
					Who    []string
					Text   string
				}
				Now struct{ Kind, Detail string }
			}
		}
		answerOf(t, &doc, "history", c.log, reused["start"])
		if len(doc.Chapters) != 1 {
			t.Fatalf("%d chapters", len(doc.Chapters))
		}
		steps := doc.Chapters[0].Steps
		var verbs []string
		for _, s := range steps {
			verbs = append(verbs, s.What)
		}
		// The last three steps: the main thread maps the range and unmaps it, then the kernel gives it to the loader.
		story := strings.Join(verbs, " ")
		if !regexp.MustCompile(`mapped freed mapped( (split|overlaid|protected))*$`).MatchString(story) {
			t.Fatalf("steps: %s", story)
		}
		at := strings.LastIndex(story, "mapped freed mapped")
		n := strings.Count(story[:at], " ")
		for i, want := range []struct{ verb, tid, who string }{
			{"mapped", reused["first_tid"], "transient_map"}, {"freed", reused["first_tid"], "transient_map"}, {"mapped", reused["then_tid"], "lsys_load"},
		} {
			s := steps[n+i]
			if s.What != want.verb || fmt.Sprint(s.TID) != want.tid || !strings.Contains(strings.Join(s.Who, " "), want.who) {
				t.Errorf("step %d: %+v, want %+v", n+i, s, want)
			}
		}
		if now := doc.Chapters[0].Now; !strings.HasPrefix(now.Kind, "elf-") || !strings.Contains(now.Detail, "sys.so") {
			t.Errorf("now: %+v", now)
		}
		r := vmblame(t, "", "history", c.log, reused["start"])
		r.wants(t, 0)
		for _, word := range []string{"mapped", "freed", "transient_map", "lsys_load", "sys.so", "worker", "\nnow: "} {
			if !strings.Contains(r.stdout, word) {
				t.Errorf("%q is missing in\n%s", word, r.stdout)
			}
		}
	})

	t.Run("the difference", func(t *testing.T) {
		testenv.Need(t, "libc6-dbg")
		r := vmblame(t, "", "diff", "--wide", one.log, c.log)
		r.wants(t, 0)
		line := lineWith(t, r.stdout, "glibc malloc arena  ")
		for _, word := range []string{"+64.0 MiB", "thread worker", "first malloc in fopen < luaL_loadfilex", "resident"} {
			if !strings.Contains(line, word) {
				t.Errorf("%q is missing: %s", word, line)
			}
		}
		because := lineWith(t, r.stdout, "because: ")
		for _, word := range []string{"default.jsonl has 64.0 MiB more", "arena", "MALLOC_ARENA_MAX"} {
			if !strings.Contains(because, word) {
				t.Errorf("%q is missing: %s", word, because)
			}
		}
		if env := lineWith(t, r.stdout, "environment: "); !strings.Contains(env, "MALLOC_ARENA_MAX 1 | 8") {
			t.Errorf("%s", env)
		}
		// Randomisation does not show: nothing else is told to differ.
		if r = vmblame(t, "", "diff", c.log, c.log); strings.Contains(r.stdout, "  glibc") || !strings.Contains(r.stdout, "environment: the same") {
			t.Errorf("a log differs from itself:\n%s", r.stdout)
		}
	})

	t.Run("a bound", func(t *testing.T) {
		cmd := command(t, "", "run", "-q", "--until-vsz", "150M", "-o", "log.jsonl", "--", filepath.Join(progs, "case"))
		cmd.Env = append(os.Environ(), "MALLOC_ARENA_MAX=8")
		got := finish(t, cmd)
		got.wants(t, 0, "more than 150.0 MiB", "mmap(NULL, 134217728, PROT_NONE", "luaL_loadfilex", "thread_worker")
		if n := strings.Count(got.stderr, "mapped, more than"); n != 1 {
			t.Errorf("told %d times:\n%s", n, got.stderr)
		}
	})

	t.Run("the summary", func(t *testing.T) {
		got := finish(t, command(t, "", "run", "-o", "log.jsonl", "--", filepath.Join(progs, "case")))
		got.wants(t, 0, "mapped", "100.0 % explained", "glibc malloc arena of thread", "hint: ", "MALLOC_ARENA_MAX=1", "next: vmblame report log.jsonl", "vmblame blame log.jsonl ")
	})
}

// lineWith returns the first line with a text in it.
func lineWith(t *testing.T, text, part string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return strings.TrimSuffix(line, "\n")
		}
	}
	t.Fatalf("no line with %q in\n%s", part, text)
	return ""
}
