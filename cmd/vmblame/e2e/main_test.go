// Package e2e runs the traced programs of testdata under the executable itself and holds the log against
// what the programs say they did (testdata/README.md).
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/vmblame/vmblame/internal/plainenv"
)

// built is where TestMain has put the executable and the traced programs.
var built struct{ vmblame, progs string }

func TestMain(m *testing.M) {
	plainenv.Set() // also of what make gives its children, when it runs the tests
	flag.Parse()
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "vmblame-endtoend-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built.vmblame = filepath.Join(dir, "vmblame")
	built.progs = filepath.Join(dir, "progs")
	for _, argv := range [][]string{
		{"go", "build", "-buildvcs=false", "-o", built.vmblame, ".."},
		{"make", "-s", "-j2", "-C", "../../../testdata", "OUT=" + built.progs},
	} {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as `make build` does
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %v\n%s", argv, err, out)
			return 1
		}
	}
	return m.Run()
}
