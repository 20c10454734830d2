package testenv

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// building keeps tests that run at the same time from finding what is half built.
var building sync.Mutex

// shared is the folder of what is built once for all tests of a package.
var shared struct {
	sync.Mutex
	dir string // "" before the first asks for it
}

// Main runs the tests of a package in a Clean environment, removes what Shared holds, and ends the process. It is for TestMain.
func Main(m *testing.M) {
	Clean()
	os.Exit(Removed(m.Run()))
}

// Removed removes what Shared holds, and returns the status of the tests: 1 where that fails. It is for a TestMain that is not Main.
func Removed(status int) int {
	if shared.dir != "" {
		if err := os.RemoveAll(shared.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return status
}

// Shared returns a folder for what all tests of the package use and none changes. The TestMain of the package must be Main, or
// call Removed.
func Shared(t testing.TB) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.dir == "" {
		dir, err := os.MkdirTemp("", "vmblame-test-")
		if err != nil {
			t.Fatal(err)
		}
		shared.dir = dir
	}
	return shared.dir
}

// Built returns the path of a file called name that build has written there. Of the tests of a package the first that asks
// for a name and key calls build, which ends its test where it fails; the others get the same file, and must not change it.
func Built(t testing.TB, name, key string, build func(path string)) string {
	t.Helper()
	building.Lock()
	defer building.Unlock()
	sum := sha256.Sum256([]byte(key))
	dir := filepath.Join(Shared(t), hex.EncodeToString(sum[:8]))
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	build(path)
	return path
}
