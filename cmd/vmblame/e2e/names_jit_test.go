package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// TestPerfMaps: code in memory is called what its process has told of it, in each address space its own.
func TestPerfMaps(t *testing.T) {
	program := prog(t, "jit")
	// In a pid namespace the program is number 1, and so is that of another run: it has a /tmp of its own too.
	tmp := t.TempDir()
	copyFile(t, program, filepath.Join(tmp, "jit"), nil)
	namespaces := []string{"unshare", "--pid", "--fork", "--mount", "sh", "-c", "mount --bind " + tmp + " /tmp && exec /tmp/jit"}
	for _, c := range []struct {
		name   string
		flags  []string
		status string
		argv   []string
	}{
		{"exits", nil, "exit status 0", []string{program}},
		{"is killed", nil, "signal: killed", []string{program, "killed"}},
		{"live", []string{"--live"}, "exit status 0", []string{program}},
		{"own namespaces", nil, "exit status 0", namespaces},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "own namespaces" {
				testenv.Need(t, "root", "unshare")
			}
			n, o := recordNames(t, c.flags, c.argv...)
			if o.status != c.status {
				t.Errorf("%s: %s", o.status, o.stderr)
			}
			for length, want := range map[uint64]string{0x7a1000: "of the parent", 0x7a2000: "?", 0x7a3000: "of the child", 0x7a4000: "of the parent"} {
				if c.name == "live" && length == 0x7a2000 {
					continue // both were told before
				}
				frames := n.mapped(t, length)
				anon := in(frames, "[anon]")
				if got := called(anon); !slices.Equal(got, []string{want}) {
					t.Errorf("%#x: code in memory is %q in %q, want %q", length, got, called(frames), want)
				}
				for _, f := range anon {
					if f.symbol != nil && f.symbol.Source != "perfmap" {
						t.Errorf("source %q", f.symbol.Source)
					}
				}
			}
		})
	}
}

// TestNode: the functions of a JavaScript program are on its stacks.
func TestNode(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "script.js")
	text := "function outerOne() { return innerOne() + 1 }\nfunction innerOne() { return new Array(8e6).fill(1).length }\n" +
		"let n = 0; for (let i = 0; i < 4; i++) n += outerOne();\n"
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	testenv.Need(t, "node")
	t.Chdir(dir) // node writes isolate-*-v8.log there
	for _, c := range []struct{ flags, argv []string }{
		{nil, []string{"node", "--perf-basic-prof", "--interpreted-frames-native-stack", script}},
		{[]string{"--jit-names"}, []string{"node", script}},
	} {
		n, o := recordNames(t, c.flags, c.argv...)
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
			t.Errorf("%v %v: of the program's functions %v are on the stacks", c.flags, c.argv, seen)
		}
	}
	const hint = "vmblame run --jit-names"
	for _, flags := range [][]string{nil, {"--jit-names"}} {
		log := filepath.Join(dir, "log.jsonl")
		output(t, slices.Concat([]string{built.vmblame, "run", "-q", "-o", log}, flags, []string{"--", "node", script})...)
		readNames(t, log) // and removes what node told of its code
		if told := strings.Contains(output(t, built.vmblame, "report", log+"@peak"), hint); told != (flags == nil) {
			t.Errorf("run %v: the report tells of --jit-names: %v", flags, told)
		}
	}
}
