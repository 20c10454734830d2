package eventlog

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

var update = flag.Bool("update", false, "rewrite the complaints beside testdata/broken/*.jsonl")

// complaints is what checking a file says: the problems, or why it cannot be read.
func complaints(path string) string {
	var b strings.Builder
	if err := CheckFile(path, func(p Problem) { b.WriteString(p.String() + "\n") }); err != nil {
		b.WriteString(strings.TrimPrefix(err.Error(), path+": ") + "\n")
	}
	return b.String()
}

func TestCheckGoodLogs(t *testing.T) {
	for _, path := range goodLogs(t) {
		if got := complaints(path); got != "" {
			t.Errorf("%s:\n%s", path, got)
		}
	}
}

// goodLogs are the logs of testdata in which everything is true.
func goodLogs(t testing.TB) []string {
	paths := testenv.Files(t, "testdata/*.jsonl")
	return paths
}

// TestCheckBrokenLogs holds every broken log against the complaint that stands beside it.
func TestCheckBrokenLogs(t *testing.T) {
	paths := testenv.Files(t, "testdata/broken/*.jsonl")
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".jsonl"), func(t *testing.T) {
			beside := strings.TrimSuffix(path, ".jsonl") + ".want"
			got := complaints(path)
			if got == "" {
				t.Fatal("nothing was found wrong with it")
			}
			if *update {
				if err := os.WriteFile(beside, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(beside)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}
