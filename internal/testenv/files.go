package testenv

import (
	"path/filepath"
	"testing"
)

// Files returns the files that match the patterns of filepath.Match, such as the logs of a testdata; it fails the test where one
// matches none, so that no test holds nothing.
func Files(t testing.TB, patterns ...string) []string {
	t.Helper()
	var files []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: no files (%v)", pattern, err)
		}
		files = append(files, found...)
	}
	return files
}
