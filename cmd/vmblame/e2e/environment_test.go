package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEntrypoint: what a script exports before it becomes the program, and the limits that it sets, are those of the program; of
// variables that are not listed no value is in the log.
func TestEntrypoint(t *testing.T) {
	program := prog(t, "thread_stacks")
	dir := t.TempDir()
	record := func(name, script string) string {
		log := filepath.Join(dir, name)
		cmd := exec.Command(built.vmblame, "run", "-q", "-o", log, "--", "sh", "-c", script+"exec "+program)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
		output(t, built.vmblame, "check", log)
		return log
	}
	plain := record("plain.jsonl", "")
	changed := record("changed.jsonl", "ulimit -S -s 4096; export MALLOC_ARENA_MAX=1 SECRET_TOKEN=hunter2hunter2; ")
	diff := output(t, built.vmblame, "diff", plain, changed)
	for _, want := range []string{"MALLOC_ARENA_MAX unset | 1", "rlimit_stack ", " | 4194304", "by name: none | SECRET_TOKEN"} {
		if !strings.Contains(diff, want) {
			t.Errorf("diff does not say %q:\n%s", want, diff)
		}
	}
	b, err := os.ReadFile(changed)
	if err != nil {
		t.Fatal(err)
	}
	// The script itself is an argument, and arguments are recorded.
	if n := strings.Count(string(b), "hunter2hunter2"); n != strings.Count(string(b), "SECRET_TOKEN=hunter2hunter2") {
		t.Errorf("the value of a variable that is not listed is in the log %d times", n)
	}
}
