package record_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPerfMaps: code in memory is called what its process has told of it, in each address space its own.
func TestPerfMaps(t *testing.T) {
	program := filepath.Join(built.progs, "jit")
	for _, c := range []struct {
		name   string
		flags  []string
		status string
		argv   []string
	}{
		{"exits", nil, "exit status 0", []string{program}},
		{"is killed", nil, "signal: killed", []string{program, "killed"}},
		{"live", []string{"--live"}, "exit status 0", []string{program}},
		{"own namespaces", nil, "exit status 0", []string{"unshare", "--pid", "--fork", "--mount", program}},
	} {
		n, o := recordNames(t, c.flags, c.argv...)
		for _, path := range perfMaps(t) {
			os.Remove(path)
		}
		if o.status != c.status {
			t.Errorf("%s: %s: %s", c.name, o.status, o.stderr)
		}
		for length, want := range map[uint64]string{0x11000: "of the parent", 0x12000: "?", 0x13000: "of the child", 0x14000: "of the parent"} {
			if c.name == "live" && length == 0x12000 {
				continue // both were told before
			}
			frames := n.mapped(t, length)
			anon := in(frames, "[anon]")
			if got := called(anon); !slices.Equal(got, []string{want}) {
				t.Errorf("%s: %#x: code in memory is %q in %q, want %q", c.name, length, got, called(frames), want)
			}
			for _, f := range anon {
				if f.symbol != nil && f.symbol.Source != "perfmap" {
					t.Errorf("%s: source %q", c.name, f.symbol.Source)
				}
			}
		}
	}
}

// perfMaps lists what jit leaves behind.
func perfMaps(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("/tmp/perf-*.map")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(path string) bool {
		text, err := os.ReadFile(path)
		var start, size uint64
		var of, who string
		if err != nil {
			return true
		}
		_, err = fmt.Sscanf(string(text), "%x %x %s the %s", &start, &size, &of, &who)
		return err != nil || of != "of"
	})
}

// TestNode: the functions of a JavaScript program are on its stacks.
func TestNode(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "script.js")
	text := "function outerOne() { return innerOne() + 1 }\nfunction innerOne() { return new Array(8e6).fill(1).length }\n" +
		"let n = 0; for (let i = 0; i < 20; i++) n += outerOne();\n"
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	n, o := recordNames(t, nil, "node", "--perf-basic-prof", "--interpreted-frames-native-stack", script)
	if o.status != "exit status 0" {
		t.Fatalf("%s: %s", o.status, o.stderr)
	}
	seen := make(map[string]bool)
	for _, s := range n.symbols {
		if s.Source == "perfmap" {
			for _, word := range []string{"outerOne", "innerOne"} {
				if strings.Contains(s.Frames[0].Function, word) {
					seen[word] = true
				}
			}
		}
	}
	if len(seen) != 2 {
		t.Errorf("of the program's functions %v are on the stacks", seen)
	}
}
