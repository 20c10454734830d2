// Package e2e runs the traced programs of testdata under the executable itself and holds the log against
// what the programs say they did (testdata/README.md).
package e2e

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// built is where TestMain has put the executable and the traced programs.
var built struct{ vmblame, progs string }

// backend, where set, is the backend that all recordings of the tests use that ask for none.
var backend = os.Getenv("VMBLAME_TEST_BACKEND")

// withBackend returns a command line with that backend.
func withBackend(argv []string) []string {
	if backend == "" || argv[0] != built.vmblame || argv[1] != "run" && (argv[1] != "attach" || backend == "seccomp") {
		return argv
	}
	for _, a := range argv {
		if a == "--no-seccomp" || strings.HasPrefix(a, "--backend") {
			return argv
		}
	}
	return slices.Insert(slices.Clone(argv), 2, "--backend="+backend)
}

func TestMain(m *testing.M) {
	testenv.Clean() // also of what make gives its children, when it runs the tests
	flag.Parse()
	os.Exit(buildAndRun(m))
}

// need skips the test where the machine lacks what argv takes: the program, a traced program that is built
// where its compiler is, and under vmblame the right to trace.
func need(t *testing.T, argv []string) {
	t.Helper()
	lookAtSources()
	switch {
	case argv[0] != built.vmblame:
		if filepath.Dir(argv[0]) != built.progs {
			testenv.Need(t, argv[0])
		}
	case len(argv) > 1 && argv[1] == "attach":
		testenv.Need(t, "attach")
	default:
		testenv.Need(t, "ptrace")
	}
}

// prog is where a traced program is.
func prog(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(built.progs, name)
	if _, err := os.Stat(path); err != nil {
		if compiler := map[string]string{"stack_cxx": "g++", "stack_musl": "musl-gcc", "stack_rust": "rustc"}[name]; compiler != "" {
			testenv.Need(t, compiler)
		}
		t.Fatal(err)
	}
	return path
}

// lookAtSources tells go test's cache what the executable and the traced programs are made of: it takes a
// result for what it was before unless a file has changed that a test has looked at.
var lookAtSources = sync.OnceFunc(func() {
	for _, dir := range []string{"..", "../../../internal", "../../../tracer", "../../../unwind", "../../../symbolize", "../../../testdata"} {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch filepath.Ext(path) {
			case ".go", ".c", ".cc", ".h", ".rs":
				_, _ = os.Stat(path)
			}
			return err
		})
	}
})

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "vmblame-endtoend-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built.progs = filepath.Join(dir, "progs")
	if err = testenv.Programs(built.progs); err == nil {
		built.vmblame, err = testenv.Executable(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return testenv.Removed(m.Run())
}
