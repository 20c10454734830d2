// Package testenv is for tests that run programs: what they need of the machine, and an environment that
// changes nothing (what a program does, prints and maps depends on variables that the user of `go test` may
// have set).
//
// A test that needs what the machine lacks is skipped, and the skip is counted; where CI is set it fails.
package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// ci and skips are read before Clean takes them away. CI set to anything makes a skip a failure; skips names
// the file that each skip adds a line to, "TEST\tNEED\tHOW", for `make test` to count.
var ci, skips = os.Getenv("CI") != "", os.Getenv("VMBLAME_TEST_SKIPS")

// CI reports whether CI is set, for a test that holds more there than anybody wants to wait for.
func CI() bool { return ci }

// Often returns how often a test repeats what chance, or one place of many, decides: few times, or as often as anybody may want where
// CI is set (docs/testing.md).
func Often(few, many int) int {
	if ci {
		return many
	}
	return few
}

// Need skips the test unless the machine has all of what: each is a program of PATH, or one of the features.
func Need(t testing.TB, what ...string) {
	t.Helper()
	for _, name := range what {
		if f := find(name); !f.has() {
			lacks(t, name, f.how)
		}
	}
}

// Has reports whether the machine has a program or feature, for a test that holds more where it has.
func Has(what string) bool { return find(what).has() }

// Python returns the path of python3 itself, and not of a script that chooses one of several: what that runs would be in each recording.
func Python(t testing.TB) string {
	t.Helper()
	Need(t, "python3")
	path, err := python()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var python = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	return strings.TrimSpace(string(out)), err
})

// Optional does what Need does for what is too large for CI, where it is no failure, either.
func Optional(t testing.TB, what ...string) {
	t.Helper()
	for _, name := range what {
		if f := find(name); !f.has() {
			skip(t, name, f.how)
		}
	}
}

// Lacks skips the test since the machine lacks what it needs, as it has found out by itself.
func Lacks(t testing.TB, what string) {
	t.Helper()
	lacks(t, what, find(what).how)
}

func lacks(t testing.TB, what, how string) {
	t.Helper()
	_ = os.Getenv("CI") // go test's cache only sees what is asked while a test runs
	if ci {
		t.Fatalf("the machine lacks %s (%s), and CI is set", what, orUnknown(how))
	}
	skip(t, what, how)
}

func orUnknown(how string) string {
	if how == "" {
		return "?"
	}
	return how
}

func skip(t testing.TB, what, how string) {
	t.Helper()
	how = orUnknown(how)
	if err := count(fmt.Sprintf("%s\t%s\t%s\n", t.Name(), what, how)); err != nil {
		t.Fatal(err)
	}
	t.Skipf("the machine lacks %s (%s)", what, how)
}

func count(line string) error {
	if skips == "" {
		return nil
	}
	f, err := os.OpenFile(skips, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
