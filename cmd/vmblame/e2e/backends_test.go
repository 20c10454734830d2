package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// The log of a program with one thread is the same by seccomp and by sigtrap: every line and the order of the lines,
// so also arguments, results, changes with their origins, stacks and names, but for what two runs differ in anyway.
func TestSameLogByBothBackends(t *testing.T) {
	testenv.Need(t, "sigtrap")
	for _, program := range []string{"brk", "protects", "mprotect_hole", "mremap_moved", "mremap_inplace", "stack_dlopen"} {
		t.Run(program, func(t *testing.T) {
			by := linesByBackend(t, program)
			if events := count(by["seccomp"], `"type":"event"`); events < 10 {
				t.Fatalf("%d events in %d lines", events, len(by["seccomp"]))
			}
			same(t, by)
		})
	}
}

// A call that fails before it takes the lock of its address space is in the log by seccomp alone; nothing else differs.
func TestFailedCallByBothBackends(t *testing.T) {
	testenv.Need(t, "sigtrap")
	by := linesByBackend(t, "hints") // ends with an mmap of a descriptor that is none
	for name, lines := range by {
		by[name] = slices.DeleteFunc(lines, func(l string) bool { return !strings.Contains(l, `"type":"event"`) })
	}
	failed := len(by["seccomp"]) - 1
	if failed < 10 || !strings.Contains(by["seccomp"][failed], `"error":"EBADF"`) {
		t.Fatalf("by seccomp %d events, the last %s", failed+1, by["seccomp"][failed])
	}
	by["seccomp"] = by["seccomp"][:failed]
	same(t, by)
}

func same(t *testing.T, by map[string][]string) {
	t.Helper()
	a, b := by["seccomp"], by["sigtrap"]
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("line %d by seccomp:\n%s\nby sigtrap:\n%s", i+1, a[i], b[i])
		}
	}
	if len(a) != len(b) {
		t.Fatalf("%d lines by seccomp, %d by sigtrap", len(a), len(b))
	}
}

func count(lines []string, what string) (n int) {
	for _, l := range lines {
		if strings.Contains(l, what) {
			n++
		}
	}
	return n
}

// linesByBackend records the program by each of the two backends and returns the lines of the logs without what two
// runs differ in. Its names come last, sorted: they are looked up from time to time.
func linesByBackend(t *testing.T, program string) map[string][]string {
	t.Helper()
	by := map[string][]string{}
	dir := t.TempDir() // one for both: its name is on the program's stack, in its environment
	for _, name := range []string{"seccomp", "sigtrap"} {
		log := filepath.Join(dir, name)
		o := start(t, dir, filepath.Join(dir, "account"), built.vmblame, "run", "-q", "--no-aslr", "--backend="+name, "-o", log, "--", prog(t, program))
		if o.status != "exit status 0" || o.stderr != "" {
			t.Fatalf("by %s: %v", name, o)
		}
		if used := proven(t, log).header.Backend; used == nil || used.Name != name {
			t.Fatalf("asked for %s, recorded by %+v", name, used)
		}
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for line := range bytes.Lines(text) {
			d := json.NewDecoder(bytes.NewReader(line))
			d.UseNumber()
			var fields map[string]any
			if err := d.Decode(&fields); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			if fields["type"] == "header" {
				continue
			}
			forgetRun(fields)
			plain, err := json.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			if fields["type"] == "symbol" {
				names = append(names, string(plain))
			} else {
				by[name] = append(by[name], string(plain))
			}
		}
		slices.Sort(names)
		by[name] = append(by[name], names...)
	}
	return by
}

// forgetRun takes from a line of a log what differs between two runs of a program: times, numbers of processes, and
// the kernel's figures of resident pages and of the system.
func forgetRun(value any) {
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			forgetRun(v)
		}
	case map[string]any:
		for _, key := range []string{"t", "pid", "tid", "system", "rss", "pss", "private_dirty", "swap"} {
			delete(value, key)
		}
		for _, v := range value {
			forgetRun(v)
		}
	}
}
